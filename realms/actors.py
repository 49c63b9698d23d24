"""Who asks for something: a person on a page, an API token, or a realm's key."""

from dataclasses import dataclass

from accounts.models import User
from realms.roles import Role
from realms.scopes import ALL_SCOPES, Scope


@dataclass(frozen=True, slots=True)
class Actor:
    """A checked credential. With `realm_id` it is bound to that realm, in which it acts with `role`.

    Without, it acts for `user` in all realms of which the user is a member, each with the user's role there.
    """

    id: str  # of the credential, such as `token:17`; unique, and no secret
    name: str  # for people
    scopes: frozenset[Scope]
    user: User | None = None
    realm_id: str | None = None
    role: Role | None = None

    @classmethod
    def of_person(cls, user: User) -> "Actor":
        """Return the actor for somebody who is signed in: may all that the person may."""
        return cls(id=f"user:{user.pk}", name=user.email, scopes=ALL_SCOPES, user=user)
