"""What a way through the pages costs whoever walks it: clicks, fields, key presses, errors met, time.

Counts are compared with `figures.json`, and may only get smaller; a smaller one is written there by hand, with the
change that made it so. Times are told and bound only as ratios, since machines differ.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Response

RATCHET = Path(__file__).with_name("figures.json")
#: Counted in the page, where it can't be told a story: events that a person's hands cause.
_COUNTER = """() => {
  const count = (name) => sessionStorage.setItem(name, 1 + Number(sessionStorage.getItem(name) ?? 0));
  const once = (name, key) => {
    const seen = new Set(JSON.parse(sessionStorage.getItem(name) ?? "[]"));
    sessionStorage.setItem(name, JSON.stringify([...seen.add(key)]));
  };
  addEventListener("click", (event) => event.isTrusted && count("clicks"), true);
  addEventListener("keydown", (event) => event.isTrusted && count("keys"), true);
  addEventListener("input", (event) => once("fields", location.pathname + event.target.name), true);
}"""


@dataclass  # without slots: Playwright keeps its wrappers of methods on the object
class Walk:
    """One way, walked. Start it with `begin` before the first page is opened."""

    name: str
    clicks: int = 0
    fields: int = 0
    keys: int = 0
    errors: int = 0
    requests: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def begin(self, context: BrowserContext) -> Page:
        """Return a page in which everything is counted."""
        context.add_init_script(f"({_COUNTER})()")
        page = context.new_page()
        page.on("console", self._note_message)
        page.on("response", self._note_answer)
        page.on("pageerror", lambda _: self._note_error())
        return page

    def take(self, page: Page) -> None:
        """Add what was counted in the page."""
        self.clicks += int(page.evaluate("sessionStorage.getItem('clicks') ?? 0"))
        self.keys += int(page.evaluate("sessionStorage.getItem('keys') ?? 0"))
        self.fields += len(page.evaluate("JSON.parse(sessionStorage.getItem('fields') ?? '[]')"))

    @property
    def counts(self) -> dict[str, int]:
        """What may only get smaller. Keys count where there is no pointer, and requests where the
        network is slow: on walks that are named so."""
        kept = ("clicks", "fields", "errors")
        if "keyboard" in self.name:
            kept = ("keys", "fields", "errors")
        elif "slow phone" in self.name:
            kept = ("requests", "fields", "errors")
        return {name: count for name, count in asdict(self).items() if name in kept}

    @property
    def line(self) -> str:
        """The figures for people."""
        counts = ", ".join(f"{count} {name}" for name, count in self.counts.items())
        times = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in self.seconds.items())
        return f"{self.name}: {counts}" + (f"; {times}" if times else "")

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._note_error()

    def _note_answer(self, answer: Response) -> None:
        if answer.status >= 400:
            self._note_error()

    def _note_error(self) -> None:
        self.errors += 1


#: What the run has walked, for its summary. Pytest's own hooks give no other place to keep it.
walked: list[Walk] = []
#: Other things that were measured, in words, for the summary.
measured: list[str] = []


def judge(walk: Walk) -> None:
    """Keep the walk for the summary; fail when a count is larger than it was."""
    walked.append(walk)
    before = json.loads(RATCHET.read_text())[walk.name]
    worse = {name: (before[name], count) for name, count in walk.counts.items() if count > before[name]}
    assert not worse, f"{walk.name}: got worse (was, is): {worse}; see {RATCHET.name}"
