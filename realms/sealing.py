"""Secrets at rest: encrypted with a key that is not in the database."""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from realms.errors import SealBroken


def seal(secret: bytes) -> str:
    """Return `secret` encrypted with the first of the sealing keys, as text."""
    return _box().encrypt(secret).decode("ascii")


def open_sealed(sealed: str) -> bytes:
    """Return what `seal` was given.

    Raises:
        SealBroken: it was changed, or its sealing key is not listed any more.
    """
    try:
        return _box().decrypt(sealed.encode("ascii"))
    except (InvalidToken, UnicodeEncodeError) as error:
        raise SealBroken from error


def _box() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.SEALING_KEYS])
