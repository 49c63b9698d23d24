"""What can go wrong with sandboxes; leaves of the tree in `fanoutcloud.core.errors`."""

from fanoutcloud.core.errors import FanoutError, Forbidden, NotFound, RateLimited, Unavailable

KEEP_IT = "keep the sandbox first: with your e-mail address on the first page it becomes yours, unchanged"


class NotInSandbox(Forbidden):
    """A sandbox belongs to nobody whom one could ask, so nothing in it may call or mail others."""

    code = "not_in_sandbox"

    def __init__(self, what: str) -> None:
        super().__init__(f"a sandbox can't {what}", cure=KEEP_IT)


class SandboxNotFound(NotFound):
    """There is no such sandbox any more: it is over, or somebody has kept it."""

    code = "sandbox_not_found"

    def __init__(self) -> None:
        super().__init__(
            "this sandbox is over, or is somebody's realm by now", cure="open another, or sign in to your realm"
        )


class TooManySandboxes(RateLimited):
    """One address or network opens more sandboxes than people do."""

    code = "too_many_sandboxes"

    def __init__(self, whose: str, limit: int, *, retry_after_s: int) -> None:
        super().__init__(f"{whose} may open {limit:,} sandboxes an hour", retry_after_s=retry_after_s)
        self.cure = f"try again in {max(1, retry_after_s // 60)} min, or create an account"


class NoRoomForSandbox(Unavailable):
    """The installation has as many sandboxes as it keeps at once, or keeps none."""

    code = "no_room_for_sandbox"

    def __init__(self) -> None:
        super().__init__("there is no room for another sandbox now", retry_after_s=600)
        self.cure = "create an account: that takes a minute and always works"


class TooManyMails(FanoutError):
    """A sandbox has had as many mails sent as it may."""

    code = "too_many_mails"
    http_status = 429

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{limit} links were sent for this sandbox already", cure="use one of them, or create an account"
        )
