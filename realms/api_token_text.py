"""The text of API tokens: `fan_`, whose it is, 40 random characters, and a checksum.

`fan_u_…` is a person's, `fan_r_…` a realm's. The checksum lets scanners of leaked secrets know a token from other text,
and us refuse a mistyped one without a query. The pattern for scanners: `fan_[ur]_[0-9A-Za-z]{46}`.
"""

import hashlib
import re
import secrets
import string
import zlib

PREFIX = "fan_"
SHOWN_CHARACTERS = 12
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_CHARACTERS = 40  # 238 bits
_CHECKSUM_CHARACTERS = 6
_PATTERN = re.compile(r"fan_[ur]_[0-9A-Za-z]{46}")


def new_token_text(*, is_realms: bool) -> str:
    """Return the text of a new token."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_CHARACTERS))
    body = f"{PREFIX}{'r' if is_realms else 'u'}_{letters}"
    return body + _checksum(body)


def is_token_text(text: str) -> bool:
    """Return whether `text` has the form of a token, its checksum included."""
    if _PATTERN.fullmatch(text) is None:
        return False
    return _checksum(text[:-_CHECKSUM_CHARACTERS]) == text[-_CHECKSUM_CHARACTERS:]


def digest_of(text: str) -> str:
    """Return what is stored of a secret text. It is random and long, so that one round of SHA-256 is enough."""
    return hashlib.sha256(text.encode()).hexdigest()


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    digits = []
    for _ in range(_CHECKSUM_CHARACTERS):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
