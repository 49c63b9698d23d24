"""Looking at who may do what in a realm: rules, revocations, keys, and what a token is good for."""

import time
from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils import timezone

from fanoutcloud.core.names import RealmId, parse_channel_name
from fanoutcloud.core.rules import ChannelRule
from fanoutcloud.core.token_doctor import Ability, Examination, examine_token, list_abilities
from realms.errors import RealmNotFound
from realms.models import Realm, RealmRule, Revocation, TokenKeySet
from realms.snapshots import find_snapshot, read_rules


@dataclass(frozen=True, slots=True)
class RuleExplanation:
    """Which rule holds for a channel: `rule`; `others` match, too, and are less exact."""

    channel: str
    rule: ChannelRule
    others: tuple[ChannelRule, ...] = ()

    @property
    def reason(self) -> str:
        """Why this rule, in one sentence."""
        pattern = self.rule.pattern
        if pattern is None:
            return "No rule's pattern covers this name, so it is as without rules."
        if not pattern.is_prefix:
            return "The rule is for exactly this name, which comes before every prefix."
        if self.others:
            return "Of all prefixes that the name begins with, this one is the longest."
        return "It is the only rule whose prefix the name begins with."


@dataclass(frozen=True, slots=True)
class TokenReport:
    """What the doctor found; `abilities` on the channel that was asked for."""

    examination: Examination
    abilities: tuple[Ability, ...] = ()


def list_rules(realm: Realm) -> QuerySet[RealmRule]:
    """Return the realm's channel rules, by pattern."""
    return RealmRule.objects.filter(realm=realm).order_by("pattern")


def list_revocations(realm: Realm) -> QuerySet[Revocation]:
    """Return the realm's revocations that still matter, the newest first."""
    return Revocation.objects.effective(realm, timezone.now())


def list_token_keys(realm: Realm) -> QuerySet[TokenKeySet]:
    """Return the realm's sets of public keys, the oldest first."""
    return TokenKeySet.objects.filter(realm=realm).order_by("pk")


def explain_rule(realm: Realm, channel: str) -> RuleExplanation:
    """Return which rule holds for a channel, and why.

    Raises:
        InvalidRequest: no channel can have this name.
    """
    name = parse_channel_name(channel)
    rules = read_rules(realm)
    return RuleExplanation(name, rules.find(name), tuple(rules.matching(name)[1:]))


def examine(realm: Realm, token: str, *, channel: str = "") -> TokenReport:
    """Return what a token is good for in this realm, and on `channel` if one is named. The token is kept nowhere.

    Raises:
        InvalidRequest: no channel can have this name.
    """
    name = parse_channel_name(channel) if channel else None
    snapshot = find_snapshot(RealmId(realm.pk))
    if snapshot is None:  # deleted a moment ago
        raise RealmNotFound(realm.pk)
    examination = examine_token(token, snapshot, now=time.time())
    if name is None or examination.grant is None:
        return TokenReport(examination)
    return TokenReport(examination, tuple(list_abilities(examination.grant, snapshot.rules.find(name), name)))
