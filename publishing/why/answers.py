"""The shape of an answer."""

from dataclasses import dataclass, field

from fanoutcloud.core.why import Recipient

#: Worst first.
SEVERITIES = ("fault", "notice", "fine")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found. `code` is for programs; `where` names an address, an origin or a key.

    Times are in seconds since 1970; 0: there is none. `is_beside`: it happened in the same minutes, and nothing says
    that it is about what was asked for.
    """

    code: str
    severity: str
    title: str
    cause: str
    cure: str = ""
    count: int = 1
    first_at: float = 0.0
    last_at: float = 0.0
    where: str = ""
    is_beside: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the timeline."""

    at: float
    kind: str
    text: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ItemStory:
    """One item: what became of it over all processes. `outcomes`: how many recipients had which outcome."""

    channel: str
    position: str
    id: str
    at: float
    formats: list[str]
    outcomes: dict[str, int]
    recipients: list[Recipient]
    members: int = 0
    looked_at: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What happened, as far as it is known.

    Records are complete since `exact_since`; of items before, one in `sample_every`, since `sampled_since`.
    `missing`: processes that did not answer in time.
    """

    about: str
    kind: str
    summary: str
    findings: list[Finding] = field(default_factory=list)
    items: list[ItemStory] = field(default_factory=list)
    timeline: list[Event] = field(default_factory=list)
    exact_since: float = 0.0
    sampled_since: float = 0.0
    sample_every: int = 1
    missing: tuple[str, ...] = ()

    @property
    def faults(self) -> list[Finding]:
        """What is to be mended."""
        return [finding for finding in self.findings if finding.severity == "fault"]
