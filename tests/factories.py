"""Makes what tests need, through the services that the product uses."""

from accounts.models import User
from realms.services import CreatedRealm, create_realm

PASSWORD = "correct horse battery"  # of everybody in the cast


def make_user(email: str, *, password: str = PASSWORD) -> User:
    """Return a new person who can sign in with `password`."""
    return User.objects.create_user(email, password)


def make_realm(owner: User, *, label: str = "") -> CreatedRealm:
    """Return a new realm of `owner`, with one key."""
    return create_realm(owner=owner, label=label)
