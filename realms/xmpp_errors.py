"""What can go wrong with XMPP addresses of a realm."""

from fanoutcloud.core.errors import Forbidden, InvalidRequest, NotFound, RateLimited


class InvalidXmppAddress(InvalidRequest):
    """This is no XMPP address that could administer a realm."""

    code = "invalid_xmpp_address"

    def __init__(self, problem: str) -> None:
        super().__init__(
            problem, cure="use such as ops@example.org, or @example.org for everybody there", field="address"
        )


class XmppAdminNotFound(NotFound):
    """The address is not on the realm's list."""

    code = "xmpp_admin_not_found"

    def __init__(self) -> None:
        super().__init__("the address is no admin of this realm", cure="list the admins")


class XmppAdminLimitReached(Forbidden):
    """The realm's list of XMPP admins is full."""

    code = "xmpp_admin_limit_reached"

    def __init__(self, limit: int) -> None:
        super().__init__(f"a realm may have {limit} XMPP admins", cure="remove others, or name their domain")


class InvalidXmppReceiver(InvalidRequest):
    """This is no XMPP address that could be written to."""

    code = "invalid_xmpp_receiver"

    def __init__(self, problem: str) -> None:
        super().__init__(problem, cure="use such as ops@example.org", field="address")


class XmppReceiverNotFound(NotFound):
    """The address does not get this channel's stanzas."""

    code = "xmpp_receiver_not_found"

    def __init__(self) -> None:
        super().__init__("the address is no subscriber of this channel", cure="list the XMPP subscribers")


class XmppReceiverLimitReached(Forbidden):
    """The realm's list of addresses is full."""

    code = "xmpp_receiver_limit_reached"

    def __init__(self, limit: int) -> None:
        super().__init__(f"a realm may have {limit:,} XMPP subscribers that it has added", cure="remove others")


class XmppReceiverRefuses(Forbidden):
    """The address was asked, and wants nothing from this realm."""

    code = "xmpp_receiver_refuses"

    def __init__(self, address: str) -> None:
        super().__init__(
            f"{address[:200]} has answered that it wants nothing",
            cure="have somebody there subscribe by themselves, or add another address",
            field="address",
        )


class TooManyXmppQuestions(RateLimited):
    """Strangers are asked whether they want stanzas, and not many of them at once."""

    code = "too_many_xmpp_questions"

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.field = "address"
