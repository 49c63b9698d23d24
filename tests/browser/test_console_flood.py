"""The console where more happens than anybody can read: the page stays of use, and hardly costs the edge."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.figures import measured
from tests.browser.scenes import Realm
from tests.servers.product import Product

pytestmark = pytest.mark.slow

BATCH = 500
FLOOD_S = 8.0
#: The page's words are about its newest 3 s, and up to half a second old.
WINDOW_S = 3.5
#: Batches of one round, with the console open or not.
ROUND_BATCHES = 12
ROUNDS = 4
TICKS_PER_S = 100  # of /proc: USER_HZ, fixed for programs

#: Counts frames, and how long the page was busy in one go (over 50 ms: a "long task").
WATCH = """() => {
  window.frames_drawn = 0;
  window.busy_ms = 0;
  const tick = () => { window.frames_drawn += 1; requestAnimationFrame(tick); };
  tick();
  new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => (window.busy_ms += duration)))
    .observe({ type: "longtask" });
}"""
READ = "() => [performance.now() / 1000, window.frames_drawn, window.busy_ms / 1000]"


class Flood:
    """Publishes as fast as the product takes it, one batch after the other."""

    def __init__(self, realm: Realm) -> None:
        self._url = f"{realm.product.url}/realm/{realm.name}/publish/"
        self._auth = (realm.name, realm.key)
        self._body = b'{"items":[%s]}' % b",".join([b'{"channel":"flood","json-object":{"text":"x"}}'] * BATCH)
        self.accepted: list[float] = []

    def send(self, batches: int) -> None:
        """Send so many batches."""
        with httpx.Client(timeout=30) as http:
            for _ in range(batches):
                self._send(http)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Send without an end, in a thread, while the block runs."""
        stop = threading.Event()

        def run() -> None:
            with httpx.Client(timeout=30) as http:
                while not stop.is_set():
                    self._send(http)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(60)

    def count(self, since: float, until: float) -> int:
        """Return how many items were accepted between these moments of `time.monotonic`."""
        return BATCH * sum(since <= at < until for at in self.accepted)

    def _send(self, http: httpx.Client) -> None:
        answer = http.post(self._url, content=self._body, auth=self._auth)
        if answer.status_code == 429:
            time.sleep(float(answer.headers.get("retry-after", "1")))
            return
        assert answer.status_code == 200, answer.text
        self.accepted.append(time.monotonic())


@pytest.fixture
def flooded(page: Page, realm: str, product: Product) -> Realm:
    """The realm whose console is open in `page`."""
    known = Realm.read(page, product)
    assert known.name == realm
    open_console(page, known)
    return known


def open_console(page: Page, realm: Realm) -> None:
    page.goto(f"/realms/{realm.name}/console/")
    expect(page.locator("#feed-state")).to_have_text("Live")


def watched(page: Page, seconds: float) -> tuple[float, float]:
    """Return frames per second, and the share of the time in which the page was busy for more than 50 ms in one go."""
    began, frames, busy = page.evaluate(READ)
    page.wait_for_timeout(1000 * seconds)
    ended, frames_then, busy_then = page.evaluate(READ)
    return (frames_then - frames) / (ended - began), (busy_then - busy) / (ended - began)


def test_in_a_flood_the_page_answers_and_says_truly_how_much_it_shows(page: Page, flooded: Realm):
    page.evaluate(WATCH)
    idle_frames, _ = watched(page, 2.0)
    flood = Flood(flooded)

    with flood.running():
        expect(page.locator("#sampling")).to_contain_text("Showing 1 in")
        page.wait_for_timeout(1000 * WINDOW_S)
        frames, busy = watched(page, FLOOD_S)
        told = page.locator("#sampling").inner_text()
        ended = time.monotonic()
        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_role("button", name="Resume")).to_be_visible()
        page.get_by_label("Channel", exact=True).fill("quiet")
        expect(page.get_by_label("Channel", exact=True)).to_have_value("quiet")

    offered_per_s = flood.count(ended - WINDOW_S, ended) / WINDOW_S
    words = re.search(r"Showing 1 in ([\d,]+): about ([\d,]+) events a second", told)
    assert words, told
    one_in, per_s = (int(number.replace(",", "")) for number in words.groups())
    measured.append(
        f"console, {offered_per_s:,.0f} items/s: says 1 in {one_in} of {per_s:,}/s; "
        f"{frames:.0f} of {idle_frames:.0f} frames/s, busy {busy:.0%}"
    )
    assert frames > idle_frames / 5, "the page hardly draws any more"
    assert busy < 0.5, "the page is busy for more than half of the time"
    assert offered_per_s / 2 < per_s < offered_per_s * 2
    assert per_s / 40 < one_in < per_s / 2.5, "about 10 rows a second are shown"


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def test_publishing_hardly_costs_more_while_somebody_looks(page: Page, flooded: Realm):
    flood = Flood(flooded)
    costs: dict[bool, list[float]] = {True: [], False: []}
    flood.send(ROUND_BATCHES)  # what is done once is done

    for round_number in range(2 * ROUNDS):
        is_watched = round_number % 2 == 0
        if is_watched:
            open_console(page, flooded)
        else:
            page.goto("/style/")
        page.wait_for_timeout(1000)
        before = cpu_s(flooded.product.pid)
        flood.send(ROUND_BATCHES)
        costs[is_watched].append((cpu_s(flooded.product.pid) - before) / (ROUND_BATCHES * BATCH))

    ratio = median(costs[True]) / median(costs[False])
    measured.append(
        f"publishing: {1e6 * median(costs[False]):.0f} us of CPU time for an item, {ratio:.2f} times that while watched"
    )
    assert ratio < 2
