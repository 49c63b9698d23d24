"""What others ask about people."""

from accounts.models import User


def is_registered(email: str) -> bool:
    """Whether somebody has this address, in any spelling of upper and lower case."""
    return User.objects.filter(email__iexact=email).exists()
