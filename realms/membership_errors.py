"""What can go wrong with members and invitations; leaves of the tree in `fanoutcloud.core.errors`."""

from fanoutcloud.core.errors import FanoutError, Forbidden, InvalidRequest, NotFound, RateLimited
from realms.errors import LimitReached


class MemberNotFound(NotFound):
    """The realm has no such member."""

    code = "member_not_found"

    def __init__(self) -> None:
        super().__init__("the realm has no such member", cure="list the members; they may have left")


class InvitationNotFound(NotFound):
    """There is no such invitation, or none any more."""

    code = "invitation_not_found"

    def __init__(self) -> None:
        super().__init__(
            "there is no such invitation", cure="it may have been withdrawn, accepted or be over: ask for another"
        )


class AlreadyMember(FanoutError):
    """Who is invited is a member already."""

    code = "already_member"
    http_status = 409

    def __init__(self) -> None:
        super().__init__("this person is a member of the realm already", cure="change the role instead", field="email")


class OwnerStays(FanoutError):
    """The owner can't be removed, leave, or be given a role."""

    code = "owner_stays"
    http_status = 409

    def __init__(self) -> None:
        super().__init__("every realm has its owner", cure="the owner hands the realm over to another member first")


class AlreadyOwner(FanoutError):
    """The realm was to be handed over to its owner."""

    code = "already_owner"
    http_status = 409

    def __init__(self) -> None:
        super().__init__("this person owns the realm already", cure="choose another member", field="user")


class NotYours(Forbidden):
    """A member may end their own membership; that of others only from admin on."""

    code = "role_too_low"

    def __init__(self) -> None:
        super().__init__("this needs the role admin, except for yourself", cure="ask an admin of the realm")


class InvalidEmail(InvalidRequest):
    """An invitation's address is none."""

    code = "invalid_email"

    def __init__(self) -> None:
        super().__init__("this is no e-mail address", cure="write such as name@example.com", field="email")


class MemberLimitReached(LimitReached):
    """The realm has as many members and open invitations as one may have."""

    code = "member_limit_reached"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"the realm has {limit} members and open invitations, which is the limit",
            cure="remove somebody, or withdraw an invitation",
        )


class InvitedJustNow(RateLimited):
    """The address was sent an invitation a moment ago."""

    code = "invited_just_now"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("this address was invited a moment ago", retry_after_s=retry_after_s)
