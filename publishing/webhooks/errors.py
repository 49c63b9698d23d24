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


class BodyGone(FanoutError):
    """What was sent is not kept any more."""

    code = "webhook_body_gone"
    http_status = 409

    def __init__(self) -> None:
        super().__init__(
            "it was delivered more than a day ago, and what was sent is not kept any more",
            cure="have it sent from the history of its channel, as long as that holds it",
        )


class NothingMissed(FanoutError):
    """An endpoint is to be sent what it missed, and there is nothing."""

    code = "webhook_nothing_missed"
    http_status = 409

    def __init__(self) -> None:
        super().__init__(
            "the endpoint was not disabled, or what it missed is sent already", cure="say since when, to send it again"
        )


class TooManyReplays(LimitReached):
    """As many replays of history as one endpoint may have wait."""

    code = "webhook_replay_limit_reached"

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} replays of history wait for this endpoint", cure="wait until they are done")


class EndpointDisabled(FanoutError):
    """Nothing is sent to an endpoint that is disabled."""

    code = "webhook_disabled"
    http_status = 409

    def __init__(self) -> None:
        super().__init__("the endpoint is disabled: nothing is sent to it", cure="resume it first")
