"""What each process answers when somebody asks why: its part of an account (docs/topics/why.md)."""

import msgspec

from fanoutcloud.core.flight import Moment, PublishedItem, Refusal, SeenItem


class Recipient(msgspec.Struct, frozen=True, array_like=True):
    """What became of an item for one connection. `outcome` is one of `OUTCOMES`; `detail` says more."""

    connection: str
    transport: str
    user: str
    outcome: str
    detail: str = ""
    at: float = 0.0


#: Outcome → what it means; those that are no fault of anybody come first.
OUTCOMES: dict[str, str] = {
    "sent": "written to the connection",
    "caught_up": "was sent it from history, when it joined later",
    "had_it": "came back with a position at or behind it: it had it already",
    "sent_then_closed": "written to the connection, which has ended since",
    "waiting": "written; some bytes have not left this server yet",
    "on_its_way": "still reads history, and gets it from there",
    "answered": "the poll was answered, by this item or one before; the next poll goes on from there",
    "filtered": "its filter does not let the item through",
    "no_format": "the item has no format that this transport carries",
    "subscribed_late": "subscribed after the item was sent, from then on",
    "history_too_short": "came back with a position, but history no longer reached back that far",
    "slow": "did not keep up and was closed; the item may not have arrived",
    "gone": "had left the channel, or the connection had ended, before the item came",
}


class ItemAccount(msgspec.Struct, frozen=True, array_like=True):
    """One item in one process: how many of its subscribers had which outcome, and some of them by name.

    `looked_at` of `members` were looked at: all but in crowds.
    """

    item: SeenItem
    counts: dict[str, int]
    recipients: list[Recipient]
    members: int
    looked_at: int


class NearName(msgspec.Struct, frozen=True, array_like=True):
    """A channel that exists and whose name is like the one that was asked for; `how` says in what they differ."""

    channel: str
    subscribers: int
    how: str


class Account(msgspec.Struct, frozen=True, array_like=True):
    """One process's part. Lists are cut to the newest.

    Records are exact since `exact_since`; of items before that one of `sample_every` is known, since `sampled_since`.
    """

    edge: str
    now: float
    exact_since: float
    sampled_since: float
    sample_every: int
    items: list[ItemAccount]
    published: list[PublishedItem]
    refusals: list[Refusal]
    moments: list[Moment]
    by_transport: dict[str, int]
    near: list[NearName]


class Accounts(msgspec.Struct, frozen=True):
    """All processes' parts; `missing` did not give theirs in time."""

    parts: list[Account]
    missing: tuple[str, ...] = ()
