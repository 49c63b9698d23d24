"""Channel rules: what holds for the channels of a realm, by exact name or prefix (docs/topics/access.md). Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from fanoutcloud.core.access import Capability, Grant
from fanoutcloud.core.allowances import Rate, Retention
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.patterns import ChannelPattern

WebhookEvent = Literal["occupied", "vacated", "connected", "disconnected", "published"]


@dataclass(frozen=True, slots=True)
class ChannelRule:
    """What holds for one channel. `pattern` is None for a channel that no rule names: it is public, as ever."""

    pattern: ChannelPattern | None = None
    access: Literal["public", "token"] = "public"
    retention: Retention | None = None  # None: the realm's
    presence: bool = False  # who is there can be asked for
    client_publish: bool = False  # whoever may subscribe may publish, too; a token can allow it without
    join_leave: bool = False  # subscribers are told who comes and goes
    cache_last_item: bool = False  # who subscribes gets the last item at once
    webhook_events: tuple[WebhookEvent, ...] = ()
    item_bytes: int | None = None  # None: the realm's
    publish_items: Rate | None = None  # for each channel; None: only the realm's


DEFAULT_RULE = ChannelRule()


@dataclass(frozen=True, slots=True)
class ChannelRules:
    """The rules of a realm. Exactly one holds for a channel: its own, else the longest prefix, else the default."""

    rules: tuple[ChannelRule, ...] = ()
    default: ChannelRule = DEFAULT_RULE
    _exact: dict[str, ChannelRule] = field(init=False, repr=False, compare=False)
    _prefixes: tuple[tuple[int, dict[str, ChannelRule]], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        exact: dict[str, ChannelRule] = {}
        prefixes: dict[int, dict[str, ChannelRule]] = {}
        for rule in self.rules:
            if rule.pattern is None:
                continue
            text = rule.pattern.text
            (prefixes.setdefault(len(text), {}) if rule.pattern.is_prefix else exact)[text] = rule
        object.__setattr__(self, "_exact", exact)
        object.__setattr__(self, "_prefixes", tuple(sorted(prefixes.items(), reverse=True)))

    def __bool__(self) -> bool:
        return bool(self.rules)

    def find(self, channel: ChannelName) -> ChannelRule:
        """Return the rule that holds for the channel: one look-up for each length that a prefix of the realm has."""
        if not self.rules:
            return self.default
        if (rule := self._exact.get(channel)) is not None:
            return rule
        for length, by_prefix in self._prefixes:
            if (rule := by_prefix.get(channel[:length])) is not None:
                return rule
        return self.default

    def matching(self, channel: ChannelName) -> list[ChannelRule]:
        """Return all rules whose pattern covers the channel, the one that holds first."""
        found = [rule for rule in self.rules if rule.pattern is not None and rule.pattern.matches(channel)]
        return sorted(found, key=lambda rule: rule.pattern.exactness if rule.pattern else (False, -1), reverse=True)

    def demand_token(self, pattern: ChannelPattern) -> bool:
        """Return whether any channel of a prefix wants a token: by the rule that holds for it all, or one within."""
        covering = [
            rule for rule in self.rules if rule.pattern and rule.pattern.is_prefix and rule.pattern.covers(pattern)
        ]
        holds = max(covering, key=lambda rule: len(rule.pattern.text) if rule.pattern else -1, default=self.default)
        within = [rule for rule in self.rules if rule.pattern and pattern.covers(rule.pattern)]
        return any(rule.access == "token" for rule in [holds, *within])


def is_allowed(grant: Grant, rule: ChannelRule, capability: Capability, channel: ChannelName) -> bool:
    """Tell whether somebody may do this on a channel, by the rule that holds for it or by their token."""
    if rule.access == "public" and (capability != "publish" or rule.client_publish):
        return True
    if grant.allows(capability, channel):
        return True
    return capability == "publish" and rule.client_publish and grant.allows("subscribe", channel)


def make_rules(rules: Iterable[ChannelRule]) -> ChannelRules:
    """Return the rules in the order in which they are tried."""
    return ChannelRules(tuple(rules))


NO_RULES = ChannelRules()
