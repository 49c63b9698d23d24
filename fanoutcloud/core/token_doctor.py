"""The token doctor: what a token says, what it allows, and why it fails, step by step. Pure.

The steps are those of `tokens.verify_token`, in its order, with the same functions; but one that fails does not end the
examination where the others can still be looked at. Nothing is logged, and the token is not in what is returned.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from fanoutcloud.core.access import CAPABILITIES, Capability, Grant
from fanoutcloud.core.claims import Claims, TokenRefused, parse_claims
from fanoutcloud.core.directory import PublicKey, RealmKey, RealmSnapshot
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.rules import ChannelRule, is_allowed
from fanoutcloud.core.tokens import (
    MAX_TOKEN_BYTES,
    check_issuer,
    check_revoked,
    check_signature,
    check_times,
    choose_keys,
    make_grant,
    parse_token,
)


@dataclass(frozen=True, slots=True)
class Check:
    """One step. `outcome` is `passed`, `failed`, or `skipped` where an earlier fault leaves nothing to look at."""

    name: str
    outcome: str
    message: str = ""
    cure: str = ""
    code: str = ""
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found. `grant` is what the token would give if it held; None where its claims can't be read."""

    checks: tuple[Check, ...]
    header: str = ""  # as JSON, for people
    claims: str = ""
    grant: Grant | None = None

    @property
    def holds(self) -> bool:
        """Whether the token would be taken now."""
        return all(check.outcome == "passed" for check in self.checks)

    @property
    def first_fault(self) -> Check | None:
        """What a client would be told."""
        return next((check for check in self.checks if check.outcome == "failed"), None)


@dataclass(frozen=True, slots=True)
class Ability:
    """Whether the token allows something on a channel, and by what."""

    capability: Capability
    is_allowed: bool
    by: str


Value = TypeVar("Value")


class _Notes:
    def __init__(self) -> None:
        self.checks: list[Check] = []

    def run(self, name: str, passed: str, step: Callable[[], Value]) -> Value | None:
        """Run one step and note how it went; return what it returned, or None if it failed."""
        try:
            value = step()
        except TokenRefused as error:
            self.checks.append(Check(name, "failed", error.message, error.cure, error.code, error.field))
            return None
        self.checks.append(Check(name, "passed", passed))
        return value

    def skip(self, *names: str) -> None:
        self.checks += [Check(name, "skipped", "not looked at: see above") for name in names]


def examine_token(text: str, realm: RealmSnapshot, *, now: float) -> Examination:
    """Return all that can be told of a token in this realm."""
    notes, text = _Notes(), text.strip()
    token = notes.run("form", "three parts of Base64url, and a header", lambda: parse_token(text))
    if token is None:
        notes.skip("key", "signature", "claims", "realm", "times", "revocation")
        return Examination(tuple(notes.checks), header=_show_part(text, 0), claims=_show_part(text, 1))
    keys = notes.run("key", f"{token.algorithm}, and the realm has a key for it", lambda: choose_keys(token, realm))
    key = None
    if keys is None:
        notes.skip("signature")
    else:
        key = notes.run("signature", "made with a key of this realm", lambda: check_signature(token, keys))
    claims = notes.run("claims", "all that are ours have the right form", lambda: parse_claims(token.payload))
    if claims is None:
        notes.skip("realm", "times", "revocation")
    else:
        _look_at_claims(notes, claims, key, realm, now)
    return Examination(
        tuple(notes.checks),
        header=_show_part(text, 0),
        claims=_show_part(text, 1),
        grant=None if claims is None else make_grant(claims, key.key_id if key else ""),
    )


def _look_at_claims(
    notes: _Notes, claims: Claims, key: RealmKey | PublicKey | None, realm: RealmSnapshot, now: float
) -> None:
    if key is None:
        notes.skip("realm")
    else:
        notes.run("realm", "meant for this realm", lambda: check_issuer(claims, realm.realm, key))
    notes.run("times", "holds now", lambda: check_times(claims, now))
    key_id = key.key_id if key else ""
    notes.run("revocation", "not revoked", lambda: check_revoked(claims, realm, key_id))


def list_abilities(grant: Grant, rule: ChannelRule, channel: ChannelName) -> list[Ability]:
    """Return what the grant allows on one channel, with what decides it."""
    whose = "no rule" if rule.pattern is None else f"the rule {rule.pattern}"
    abilities = []
    for capability in CAPABILITIES:
        granted = next(
            (str(p.pattern) for p in grant.permissions if capability in p.capabilities and p.pattern.matches(channel)),
            None,
        )
        allowed = is_allowed(grant, rule, capability, channel)
        if granted is not None:
            by = f"the token, for {granted}"
        elif allowed:
            by = f"{whose}: it is open" if rule.pattern else "no rule: public channels can be read by everybody"
        else:
            by = f"neither the token nor {whose} allows it"
        abilities.append(Ability(capability, allowed, by))
    return abilities


def _show_part(text: str, at: int) -> str:
    """Return a part of the token as JSON for people, if it can be read at all."""
    parts = text.split(".") if len(text) <= MAX_TOKEN_BYTES else []
    try:
        raw = base64.urlsafe_b64decode(parts[at] + "=" * (-len(parts[at]) % 4))
        return msgspec.json.format(raw, indent=2).decode()
    except (IndexError, ValueError, msgspec.MsgspecError, RecursionError, UnicodeError):
        return ""
