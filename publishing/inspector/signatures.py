"""Whether a request is signed as Standard Webhooks has it, and what is wrong if it is not. Pure."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from publishing.webhooks.signing import SigningKeys, sign

#: Receivers accept a timestamp that is off by so much.
TOLERANCE_S = 300


@dataclass(frozen=True, slots=True)
class SignatureCheck:
    """`verdict` is `valid`, `invalid` or `unsigned`; `problem` says why it is not valid."""

    verdict: str
    problem: str = ""


def check_signature(keys: SigningKeys, *, headers: Mapping[str, str], body: bytes, now: float) -> SignatureCheck:
    """Do what a receiver does. Names of `headers` are in lower case."""
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    missing = [name for name in names if not headers.get(name)]
    if len(missing) == len(names):
        return SignatureCheck("unsigned", "there is no signature; was it sent by us?")
    if missing:
        return SignatureCheck("invalid", f"the header {missing[0]} is missing")
    stamp = headers["webhook-timestamp"]
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 16):
        return SignatureCheck("invalid", "webhook-timestamp is no number of seconds")
    if abs(int(stamp) - now) > TOLERANCE_S:
        return SignatureCheck("invalid", f"webhook-timestamp is more than {TOLERANCE_S // 60} minutes off")
    expected = sign(keys, webhook_id=headers["webhook-id"], timestamp=int(stamp), body=body).split()
    given = headers["webhook-signature"].split()[:20]
    is_valid = any(hmac.compare_digest(one.encode(), known.encode()) for one in given for known in expected)
    if is_valid:
        return SignatureCheck("valid")
    return SignatureCheck("invalid", "no signature fits the endpoint's secret and this body")
