"""What can go wrong with webhooks where people and programs set them up; leaves of `fanoutcloud.core.errors`."""

from fanoutcloud.core.errors import FanoutError, InvalidRequest, NotFound
from realms.errors import LimitReached


class EndpointNotFound(NotFound):
    """The realm has no such endpoint."""

    code = "webhook_not_found"

    def __init__(self) -> None:
        super().__init__("the realm has no such webhook endpoint", cure="it may have been removed; list them again")


class DeliveryNotFound(NotFound):
    """The realm has no such delivery."""

    code = "webhook_delivery_not_found"

    def __init__(self) -> None:
        super().__init__("the realm has no such delivery", cure="it may be older than what is kept; list them again")


class InvalidEndpoint(InvalidRequest):
    """A setting of an endpoint can't be used; `field` is the setting."""

    code = "invalid_webhook"


class EndpointLimitReached(LimitReached):
    """The realm has as many endpoints as one may."""

    code = "webhook_limit_reached"

    def __init__(self, limit: int) -> None:
        super().__init__(f"the realm has {limit} webhook endpoints, which is the limit", cure="remove one")


class EndpointDisabled(FanoutError):
    """Nothing is sent to an endpoint that is disabled."""

    code = "webhook_disabled"
    http_status = 409

    def __init__(self) -> None:
        super().__init__("the endpoint is disabled: nothing is sent to it", cure="resume it first")
