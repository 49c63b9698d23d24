"""Filters of a subscription: who gets an item, and with what content.

Delivery filters (`skip-self`, `skip-users`, `require-sub`) look at meta values alone; content filters (`var-subst`,
`build-id`) rewrite what is sent. Pure; source: GRIP: channels, meta values, filters.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fanoutcloud.core.errors import FanoutError

SKIP_SELF, SKIP_USERS, REQUIRE_SUB = "skip-self", "skip-users", "require-sub"
VAR_SUBST, BUILD_ID = "var-subst", "build-id"

DELIVERY_FILTERS = frozenset({SKIP_SELF, SKIP_USERS, REQUIRE_SUB})
CONTENT_FILTERS = frozenset({VAR_SUBST, BUILD_ID})
#: Those that also work on what the origin itself answers.
RESPONSE_FILTERS = frozenset({BUILD_ID})
#: As `Grip-Feature` names what there is.
FEATURES = tuple(f"filter:{name}" for name in (SKIP_SELF, SKIP_USERS, REQUIRE_SUB, BUILD_ID, VAR_SUBST))


class FilterFault(FanoutError):
    """A content filter met something that it can't do; `field` is the filter."""

    code = "filter_fault"
    http_status = 502


@dataclass(frozen=True, slots=True)
class Subscription:
    """What filters may know of the connection: its meta values, the channels it has, and where it stands in each."""

    meta: Mapping[str, str]
    channels: Callable[[str], bool]
    last_ids: Mapping[str, str]


def content_filters_of(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the filters among `names` that change content, in order."""
    return tuple(name for name in names if name in CONTENT_FILTERS)


def passes(names: tuple[str, ...], item_meta: Mapping[str, str], subscription: Subscription) -> bool:
    """Tell whether the delivery filters among `names` let an item through."""
    return all(_passes_one(name, item_meta, subscription) for name in names)


def _passes_one(name: str, item_meta: Mapping[str, str], subscription: Subscription) -> bool:
    user = subscription.meta.get("user", "")
    if name == SKIP_SELF:
        return not user or user != item_meta.get("sender")
    if name == SKIP_USERS:
        return not user or user not in (one.strip() for one in item_meta.get("skip_users", "").split(","))
    if name == REQUIRE_SUB:
        required = item_meta.get("require_sub", "")
        return not required or subscription.channels(required)
    return True


def rewrite(names: tuple[str, ...], content: bytes, subscription: Subscription) -> bytes:
    """Return the content of an item as the content filters among `names` make it, one after the other.

    `last_ids` of the subscription are those after the item.

    Raises:
        FilterFault: a directive that means nothing here.
    """
    for name in names:
        if name == VAR_SUBST:
            content = _substitute(content, subscription.meta)
        elif name == BUILD_ID:
            content = _IdBuilder(subscription).rewrite(content)
    return content


def rewrite_response(names: tuple[str, ...], content: bytes, meta: Mapping[str, str]) -> bytes:
    """Return content of the origin's own as `build-id` makes it; there is no position to write yet.

    Raises:
        FilterFault: a directive that means nothing here.
    """
    if BUILD_ID in names:
        return _IdBuilder(Subscription(meta, lambda _: False, {}), has_position=False).rewrite(content)
    return content


#: `%`, an argument in parentheses with escapes inside, and a letter; or whatever else follows on a `%`.
_DIRECTIVE = re.compile(rb"%(?:(?P<percent>%)|(?:\((?P<argument>(?:\\.|[^\\)])*)\))?(?P<letter>[^(%]))?", re.DOTALL)


def _replace(content: bytes, filter_name: str, meaning: Callable[[str | None, str], bytes]) -> bytes:
    """Replace each directive of the content by what it means: called with the argument, or None, and the letter."""

    def one(directive: re.Match[bytes]) -> bytes:
        if directive["percent"] is not None:
            return b"%"
        if directive["letter"] is None:
            raise _fault(filter_name, f"{directive[0]!r} is not finished", "write %% for a percent sign")
        argument = directive["argument"]
        text = (
            None
            if argument is None
            else re.sub(rb"\\(.)", rb"\1", argument, flags=re.DOTALL).decode("utf-8", "replace")
        )
        return meaning(text, directive["letter"].decode("latin-1"))

    return _DIRECTIVE.sub(one, content) if b"%" in content else content


def _substitute(content: bytes, meta: Mapping[str, str]) -> bytes:
    def meaning(name: str | None, letter: str) -> bytes:
        if letter != "s" or name is None:
            raise _fault(VAR_SUBST, f"'%{letter}' is no directive", "write %(name)s, or %% for a percent sign")
        if name not in meta:
            raise _fault(VAR_SUBST, f"there is no meta value {name[:40]!r}", "set it with Grip-Set-Meta")
        return meta[name].encode()

    return _replace(content, VAR_SUBST, meaning)


class _IdBuilder:
    """`build-id`: writes the connection's position, by the template `id_format`, or a text as an id."""

    def __init__(self, subscription: Subscription, *, has_position: bool = True) -> None:
        self._meta = subscription.meta
        self._last_ids = subscription.last_ids
        self._has_position = has_position

    def rewrite(self, content: bytes) -> bytes:
        return _replace(content, BUILD_ID, self._meaning)

    def _meaning(self, text: str | None, letter: str) -> bytes:
        if letter != "I":
            raise _fault(BUILD_ID, f"'%{letter}' is no directive", "write %I, %(text)I, or %% for a percent sign")
        if text is not None:
            return self._encode(text.encode())
        if not self._has_position:
            raise _fault(BUILD_ID, "there is no position yet for %I", "write %(text)I in the origin's own content")
        return self._encode(self._position())

    def _position(self) -> bytes:
        template = self._meta.get("id_format")
        if template is None:
            raise _fault(BUILD_ID, "there is no meta value 'id_format'", "set it with Grip-Set-Meta")
        return _replace(template.encode(), BUILD_ID, self._last_id)

    def _last_id(self, channel: str | None, letter: str) -> bytes:
        if letter != "s" or channel is None:
            raise _fault(BUILD_ID, f"'%{letter}' is no directive of id_format", "write %(channel)s")
        if channel not in self._last_ids:
            raise _fault(BUILD_ID, f"no id is known of channel {channel[:40]!r}", "give it a prev-id")
        return self._last_ids[channel].encode()

    def _encode(self, id_: bytes) -> bytes:
        encoding = self._meta.get("id_encoding")
        if encoding in (None, ""):
            return id_
        if encoding == "hex":
            return id_.hex().encode()
        raise _fault(BUILD_ID, f"id_encoding is {encoding[:40]!r}", "use 'hex', or leave it out")


def _fault(filter_name: str, message: str, cure: str) -> FilterFault:
    return FilterFault(message, cure=cure, field=filter_name)
