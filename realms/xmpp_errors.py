"""What can go wrong with XMPP admins of a realm."""

from fanoutcloud.core.errors import Forbidden, InvalidRequest, NotFound


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
