"""`Idempotency-Key`: a request that is sent again is answered as it was the first time, and done once."""

import hashlib
from collections.abc import Callable
from datetime import timedelta

import msgspec
from django.db import IntegrityError, transaction
from django.utils import timezone
from rest_framework.response import Response

from fanoutcloud.core.errors import FanoutError, InvalidRequest
from realms.actors import Actor
from realms.models import StoredAnswer
from realms.sealing import open_sealed, seal

MAX_KEY_CHARACTERS = 255
KEPT_FOR = timedelta(hours=24)


class IdempotencyConflict(FanoutError):
    """The key came before, with another request."""

    code = "idempotency_conflict"
    http_status = 409

    def __init__(self) -> None:
        super().__init__(
            "this Idempotency-Key came before, with another request", cure="use a new key for each new request"
        )


class BadIdempotencyKey(InvalidRequest):
    """The key is empty, too long, or not plain text."""

    code = "bad_idempotency_key"

    def __init__(self) -> None:
        super().__init__(
            f"the Idempotency-Key is not 1 to {MAX_KEY_CHARACTERS} printable ASCII characters",
            cure="send a random text, such as a UUID",
            field="Idempotency-Key",
        )


def check_key(key: str) -> None:
    """Raise `BadIdempotencyKey` if the text can be no key."""
    if not 0 < len(key) <= MAX_KEY_CHARACTERS or not key.isascii() or not key.isprintable():
        raise BadIdempotencyKey


def fingerprint_of(method: str, path: str, body: bytes) -> str:
    """Return what tells one request from another."""
    return hashlib.sha256(b"\0".join([method.encode(), path.encode(), body])).hexdigest()


def do_once(actor: Actor, key: str, fingerprint: str, act: Callable[[], Response]) -> Response:
    """Return the stored answer of the same request, or do it and store the answer in the same transaction.

    A request that fails stores nothing: nothing was done. Two at once: the second waits for the first's end.

    Raises:
        IdempotencyConflict: the key came before, with another request.
    """
    if (stored := _find(actor, key)) is not None:
        return _repeat(stored, fingerprint)
    try:
        with transaction.atomic():
            # First, so that a second request with this key waits here (PostgreSQL) or at the transaction (SQLite).
            row = StoredAnswer.objects.create(
                actor=actor.id, key=key, fingerprint=fingerprint, status=0, sealed_body=""
            )
            response = act()
            row.status = response.status_code
            row.sealed_body = seal(msgspec.json.encode(response.data))
            row.location = response.headers.get("Location", "")
            row.save(update_fields=["status", "sealed_body", "location"])
    except IntegrityError:
        stored = _find(actor, key)
        if stored is None:
            raise
        return _repeat(stored, fingerprint)
    return response


def forget_old_answers() -> None:
    """Delete answers that are past `KEPT_FOR`."""
    StoredAnswer.objects.filter(created_at__lt=timezone.now() - KEPT_FOR).delete()


def _find(actor: Actor, key: str) -> StoredAnswer | None:
    since = timezone.now() - KEPT_FOR
    StoredAnswer.objects.filter(actor=actor.id, key=key, created_at__lt=since).delete()
    return StoredAnswer.objects.filter(actor=actor.id, key=key).first()


def _repeat(stored: StoredAnswer, fingerprint: str) -> Response:
    if stored.fingerprint != fingerprint:
        raise IdempotencyConflict
    response = Response(msgspec.json.decode(open_sealed(stored.sealed_body)), status=stored.status)
    response["Idempotency-Replayed"] = "true"
    if stored.location:
        response["Location"] = stored.location
    return response
