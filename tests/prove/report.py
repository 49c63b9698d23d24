"""What a run showed, for people: figures, and each violation with the evidence for it."""

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.prove.judge import Violation
from tests.prove.log import (
    Acknowledged,
    Attempted,
    Began,
    Ended,
    Event,
    Harmed,
    Moved,
    Received,
    Reset,
    Subscribed,
    Unanswered,
)

#: Of each broken promise so many cases are told in full.
MAX_SHOWN = 3
MAX_EVENTS_SHOWN = 12
HARM_BEFORE_S = 10.0
MAX_LAST_WORDS = 3


@dataclass(slots=True)
class Figures:
    """How much a run went through."""

    seconds: float = 0.0
    published: int = 0
    acknowledged: int = 0
    attempts: int = 0
    received: int = 0
    connections: Counter[str] = field(default_factory=Counter)
    received_by_transport: Counter[str] = field(default_factory=Counter)
    switches: Counter[tuple[str, str]] = field(default_factory=Counter)
    resumed: int = 0
    resets: int = 0
    unanswered: Counter[str] = field(default_factory=Counter)
    harm: Counter[str] = field(default_factory=Counter)
    #: From first attempt to acknowledgement, and from there to each receipt (0 if it came before).
    acknowledged_after_s: list[float] = field(default_factory=list)
    received_after_s: list[float] = field(default_factory=list)
    longest_outage_s: float = 0.0  # no process answered


def measure(events: Iterable[Event]) -> Figures:
    """Return the figures of a log."""
    figures = Figures()
    first_at: dict[str, float] = {}
    transports: dict[str, str] = {}
    events = list(events)
    _measure_delays(events, figures)
    figures.longest_outage_s = find_longest_outage(events)
    for event in events:
        figures.seconds = event.at
        match event:
            case Attempted():
                figures.attempts += 1
                first_at.setdefault(event.id, event.at)
            case Unanswered():
                figures.unanswered[event.why.split(":")[0]] += 1
            case Began():
                figures.connections[event.transport] += 1
                if event.since and event.subscriber in transports:
                    figures.switches[transports[event.subscriber], event.transport] += 1
                transports[event.subscriber] = event.transport
            case Subscribed():
                figures.resumed += event.recovered
            case Reset():
                figures.resets += 1
            case Received():
                figures.received += 1
                figures.received_by_transport[transports.get(event.subscriber, "?")] += 1
    figures.published, figures.acknowledged = len(first_at), len(figures.acknowledged_after_s)
    return figures


def _measure_delays(events: Iterable[Event], figures: Figures) -> None:
    first_at: dict[str, float] = {}
    acknowledged_at: dict[str, float] = {}
    receipts: list[Received] = []
    for event in events:
        match event:
            case Attempted():
                first_at.setdefault(event.id, event.at)
            case Acknowledged():
                acknowledged_at.setdefault(event.id, event.at)
            case Received() if not event.subscriber.startswith("auditor"):
                receipts.append(event)
    figures.acknowledged_after_s = sorted(at - first_at[id_] for id_, at in acknowledged_at.items())
    known = [(event.at, acknowledged_at.get(event.id or "", event.at)) for event in receipts]
    figures.received_after_s = sorted(max(0.0, at - acknowledged) for at, acknowledged in known)


def find_longest_outage(events: Iterable[Event]) -> float:
    """Return for how long at most no process answered publishers and subscribers."""
    up: set[str] = set()
    stopped: set[str] = set()
    longest_s, since = 0.0, None
    for event in events:
        if not isinstance(event, Harmed) or event.process.startswith(("redis", "sentinel")):
            continue
        match event.what:
            case "ready":
                up.add(event.process)
            case "stopped":
                stopped.add(event.process)
            case "continued":
                stopped.discard(event.process)
            case "asked to hand over":
                continue  # it goes on meanwhile
            case _:
                up.discard(event.process)
                stopped.discard(event.process)
        answers = bool(up - stopped)
        if answers and since is not None:
            longest_s, since = max(longest_s, event.at - since), None
        elif not answers and since is None:
            since = event.at
    return longest_s


def write_report(
    figures: Figures,
    violations: Sequence[Violation],
    faults: Sequence[str],
    events: Sequence[Event],
    folder: Path,
) -> None:
    """Print what the run showed."""
    harm = ", ".join(f"{count} x {what}" for what, count in sorted(figures.harm.items()))
    received = ", ".join(f"{count:,} {name}" for name, count in sorted(figures.received_by_transport.items()))
    unanswered = ", ".join(f"{count} x {why}" for why, count in figures.unanswered.most_common(4))
    print(f"harm:        {harm} (edge, publishing, redis: killed) in {figures.seconds:.0f} s")
    print(f"published:   {figures.published:,} items, {figures.acknowledged:,} acknowledged at last")
    print(f"attempts:    {figures.attempts:,}; without success: {unanswered or 'none'}")
    print(f"received:    {figures.received:,} items ({received})")
    pairs = f"{len(figures.switches)} of 16 pairs of transports"
    resumed = f"{figures.resumed:,} channels resumed, over {pairs}; {figures.resets:,} resets"
    print(f"connections: {figures.connections.total():,}; {resumed}")
    acknowledged, reached = _spread(figures.acknowledged_after_s), _spread(figures.received_after_s)
    print(f"delays:      to the acknowledgement {acknowledged}; from there to the subscriber {reached}")
    print(f"outage:      for {figures.longest_outage_s:.1f} s at most no process answered")
    for line in last_words(folder):
        print(f"said by      {line}")
    for fault in faults:
        print(f"VOID         {fault}")
    for line in tell_violations(violations, events):
        print(line)
    verdict = f"{len(violations)} promises were broken" if violations else "nothing lost, nothing twice, all in order"
    print(f"verdict:     {verdict}", flush=True)


def _spread(sorted_s: list[float]) -> str:
    if not sorted_s:
        return "unknown"
    shares = (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
    return ", ".join(f"{name} {sorted_s[math.ceil(share * len(sorted_s)) - 1]:.3f} s" for name, share in shares)


def last_words(folder: Path) -> Iterator[str]:
    """Yield what looks like a fault in what the processes printed: the last line of each traceback, counted."""
    for file in sorted(folder.glob("*.log")):
        found: Counter[str] = Counter()
        lines = file.read_text(errors="replace").splitlines()
        for before, line in itertools.pairwise(lines):
            if before.startswith("  ") and line[:1].isalpha() and ("Error" in line or "Exception" in line):
                found[line[:160]] += 1
        for line, count in found.most_common(MAX_LAST_WORDS):
            yield f"{file.stem}: {count} x {line}"


def tell_violations(violations: Sequence[Violation], events: Sequence[Event]) -> Iterator[str]:
    """Yield the lines that tell each broken promise, the first cases of each with evidence."""
    by_promise: dict[str, list[Violation]] = defaultdict(list)
    for violation in violations:
        by_promise[violation.promise].append(violation)
    for promise, cases in by_promise.items():
        yield ""
        yield f"BROKEN       {promise}: {len(cases)} times"
        for case in cases[:MAX_SHOWN]:
            who = f"{case.subscriber} in {case.channel}: " if case.subscriber else ""
            yield f"  {case.at:9.3f}  {who}{case.text}"
            for event in find_evidence(case, events):
                yield f"      {event.at:9.3f}  {describe(event)}"


def find_evidence(case: Violation, events: Sequence[Event]) -> list[Event]:
    """Return what the subscriber saw last, what became of the items, and who was harmed shortly before."""
    about: list[Event] = []
    own: list[Event] = []
    for event in events:
        if isinstance(event, Harmed):
            if case.at - HARM_BEFORE_S <= event.at <= case.at + 1.0:
                about.append(event)
        elif getattr(event, "id", None) in case.ids and not isinstance(event, Received):
            about.append(event)
        is_own = getattr(event, "subscriber", None) == case.subscriber
        if is_own and event.at <= case.at and getattr(event, "channel", case.channel) == case.channel:
            own.append(event)
    return sorted([*about[:MAX_EVENTS_SHOWN], *own[-6:]], key=lambda event: event.at)


def describe(event: Event) -> str:
    """Return the event in words."""
    match event:
        case Harmed():
            return f"{event.process} {event.what}"
        case Attempted() | Acknowledged() | Unanswered():
            return _describe_publish(event)
        case Began():
            since = ", ".join(f"{channel} since {place}" for channel, place in event.since.items())
            return f"{event.subscriber} connects to {event.process} over {event.transport}: {since or 'from now'}"
        case Subscribed():
            return f"subscribed at {event.place}, recovered: {str(event.recovered).lower()}"
        case Received():
            return f"received {event.place} {event.id}"
        case Moved():
            return f"cursor moved to {event.place}"
        case Reset():
            return f"reset to {event.place}: {event.reason}"
        case Ended():
            return f"connection ended: {event.why}"
        case _:
            return repr(event)


def _describe_publish(event: Attempted | Acknowledged | Unanswered) -> str:
    match event:
        case Attempted():
            return f"{event.id} sent to {event.process}"
        case Acknowledged():
            return f"{event.id} acknowledged by {event.process}"
        case Unanswered():
            return f"{event.id} not acknowledged by {event.process}: {event.why}"
