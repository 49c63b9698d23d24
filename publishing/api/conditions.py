"""ETags: what a representation was, so that nobody fetches it twice or writes over another's change."""

import hashlib
from typing import Any

import msgspec

from fanoutcloud.core.errors import FanoutError


class PreconditionFailed(FanoutError):
    """`If-Match` names another state of the resource than it has."""

    code = "precondition_failed"
    http_status = 412

    def __init__(self) -> None:
        super().__init__(
            "the resource has changed since you read it", cure="read it again, and send the ETag that comes with it"
        )


def etag_of(data: Any) -> str:
    """Return the strong ETag of a representation."""
    return f'"{hashlib.blake2b(msgspec.json.encode(data), digest_size=12).hexdigest()}"'


def is_listed(header: str, etag: str) -> bool:
    """Return whether the header (`*`, or ETags with commas) covers `etag`; weak ones count as their strong form."""
    named = [part.strip().removeprefix("W/") for part in header.split(",")]
    return "*" in named or etag in named


def check_match(header: str | None, data: Any) -> None:
    """Raise `PreconditionFailed` if `If-Match` came and does not cover the state `data`."""
    if header is not None and not is_listed(header, etag_of(data)):
        raise PreconditionFailed
