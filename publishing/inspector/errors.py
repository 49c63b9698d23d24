"""What can go wrong with inspectors."""

from fanoutcloud.core.errors import NotFound, RateLimited
from realms.errors import LimitReached


class InspectorNotFound(NotFound):
    """There is no such inspector, or nobody has looked at it for days."""

    code = "inspector_not_found"

    def __init__(self) -> None:
        super().__init__("there is no such inspector", cure="it may have ended, unseen for 3 days; open a new one")


class InspectorLimitReached(LimitReached):
    """The realm has as many inspectors as one may."""

    code = "inspector_limit_reached"

    def __init__(self, limit: int) -> None:
        super().__init__(f"the realm has {limit} inspectors, which is the limit", cure="close one")


class InspectorBusy(RateLimited):
    """More requests came to an inspector in a second than it takes."""

    code = "inspector_busy"

    def __init__(self, limit: int) -> None:
        super().__init__(f"an inspector takes {limit} requests a second", retry_after_s=1)
