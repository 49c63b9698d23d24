"""Whether subscribers notice that webhooks want what they get: an edge with Redis and two channels with as many
subscribers each, published to in turns; a webhook endpoint wants the items of one of them.
"""

import asyncio
from pathlib import Path
from statistics import median

from tests.load.crowd import Crowd, connected, next_round
from tests.load.fleet import Fleet, running_fleet
from tests.load.generator import NotMeasured
from tests.load.scenarios import MARKER, Figure, Options
from tests.servers.edges import Installation

PLAIN, WANTED = "plain", "wanted"
#: Nobody is called: no worker runs, and what is measured is what comes before.
_ADD_ENDPOINT = """
import sys
from publishing.webhooks.endpoints import create_endpoint
from realms.models import Realm
create_endpoint(realm=Realm.objects.get(pk=sys.argv[1]), url="https://hooks.example.com/", patterns=[sys.argv[2]])
"""


async def measure_fan_out(options: Options, folder: Path) -> list[Figure]:
    """Publish to both in turns; compare when so many of the subscribers had it."""
    after: dict[str, list[list[float]]] = {PLAIN: [], WANTED: []}
    async with running_fleet(folder, 1, prepare=_add_endpoint) as fleet:
        crowds = {channel: Crowd(fleet.edges[0].port, max(1, options.subscribers // 10)) for channel in after}
        requests = {channel: folder / channel for channel in after}
        for channel, request in requests.items():
            request.write_bytes(fleet.subscribe_request("websocket", channel))
        async with (
            connected([crowds[PLAIN]], requests[PLAIN], ready="subscribed", marker=MARKER),
            connected([crowds[WANTED]], requests[WANTED], ready="subscribed", marker=MARKER),
        ):
            for number in range(max(2, options.rounds * 5)):
                for channel in (PLAIN, WANTED) if number % 2 else (WANTED, PLAIN):
                    after[channel].append(await _publish_once(fleet, channel, crowds[channel]))
    return _compare(after)


def _add_endpoint(installation: Installation) -> None:
    installation.run_python(_ADD_ENDPOINT, installation.realm.realm, WANTED)


async def _publish_once(fleet: Fleet, channel: str, crowd: Crowd) -> list[float]:
    """Return after how many seconds each subscriber had the item, in order."""
    asked_at, _ = await asyncio.to_thread(fleet.publish, MARKER, channel)
    (got,) = await next_round([crowd], crowd.subscribers)
    if (got.least, got.most) != (1, 1):
        raise NotMeasured("Not every subscriber got every item once")
    return sorted(moment - asked_at for moment in got.arrivals)


def _compare(after: dict[str, list[list[float]]]) -> list[Figure]:
    figures = []
    for share, name in ((0.5, "half"), (0.99, "99 of 100")):
        at = {channel: [one[int(share * (len(one) - 1))] for one in rounds] for channel, rounds in after.items()}
        what = f"{name} of {len(after[PLAIN][0]):,} subscribers have it"
        ratio = median(with_ / without for without, with_ in zip(at[PLAIN], at[WANTED], strict=True))
        figures += [
            Figure("webhooks", f"{what}, no webhooks", 1000 * median(at[PLAIN]), "ms"),
            Figure("webhooks", f"{what}, with", 1000 * median(at[WANTED]), "ms"),
            Figure("webhooks", f"{what}, with over without", 100 * ratio, "%", "≤ 105"),
        ]
    return figures
