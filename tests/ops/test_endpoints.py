"""Who may see what of a process."""

from typing import Any

import pytest

from fanoutcloud.core.statistics import ProcessStatistics, Statistics
from fanoutcloud.ops.endpoints import OPS_PATHS, OpsEndpoints
from fanoutcloud.ops.health import Health
from fanoutcloud.ops.metrics import Metrics
from tests.fakes.clock import SteppedClock


async def fine() -> None:
    """A part that is well."""


class OpsWorld:
    """The endpoints of one process."""

    def __init__(self, *, token: str = "", trusts_proxies: bool = False) -> None:
        self.health = Health({"broker": fine}, SteppedClock(), ProcessStatistics())
        self.ops = OpsEndpoints(self.health, Metrics(Statistics()), token=token, trusts_proxies=trusts_proxies)

    async def get(self, path: str, *, client: str | None = "127.0.0.1", **headers: str) -> tuple[int, str]:
        """Return status and body; 404 where the endpoints say that nothing is there."""
        sent: list[dict[str, Any]] = []

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "path": path,
            "client": (client, 1234) if client else None,
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        }
        if not await self.ops.serve(scope, send):
            assert sent == []
            return 404, ""
        return sent[0]["status"], sent[1]["body"].decode()


async def test_healthz_answers_whatever_the_parts_say():
    assert await OpsWorld().get("/healthz") == (200, "ok\n")


async def test_readyz_says_why_not():
    world = OpsWorld()
    before = await world.get("/readyz")
    await world.health.probe("broker")
    well = await world.get("/readyz")
    world.health.begin_draining()

    assert before == (503, "broker: not looked at yet\n")
    assert well == (200, "ready\n")
    assert await world.get("/readyz") == (503, "draining\n")


@pytest.mark.parametrize("client", ["127.0.0.1", "::1", "10.1.2.3", "192.168.0.9", "fd00::1"])
async def test_metrics_are_for_private_addresses(client: str):
    status, body = await OpsWorld().get("/metrics", client=client)

    assert status == 200
    assert "fanout_edge_items_in_total 0.0" in body


@pytest.mark.parametrize("client", ["8.8.8.8", "2a00:1450::1", "unix", "", None])
async def test_for_others_there_are_none(client: str | None):
    assert await OpsWorld().get("/metrics", client=client) == (404, "")
    assert await OpsWorld(token="secret").get("/metrics", client=client) == (404, "")


async def test_the_token_shows_them_to_anybody():
    world = OpsWorld(token="secret")

    assert (await world.get("/metrics", client="8.8.8.8", authorization="Bearer secret"))[0] == 200
    assert (await world.get("/metrics", client="8.8.8.8", authorization="Bearer wrong"))[0] == 404
    assert (await world.get("/metrics", client="8.8.8.8", authorization="secret"))[0] == 404


async def test_an_empty_token_opens_nothing():
    assert (await OpsWorld().get("/metrics", client="8.8.8.8", authorization="Bearer "))[0] == 404


@pytest.mark.parametrize("header", ["x_forwarded_for", "forwarded", "x_real_ip", "via"])
async def test_a_proxy_that_is_not_trusted_makes_nobody_private(header: str):
    assert (await OpsWorld().get("/metrics", **{header: "127.0.0.1"}))[0] == 404


async def test_behind_a_trusted_proxy_the_clients_own_address_counts():
    world = OpsWorld(trusts_proxies=True)

    assert (await world.get("/metrics", client="10.0.0.1", x_forwarded_for="10.0.0.1"))[0] == 200
    assert (await world.get("/metrics", client="8.8.8.8", x_forwarded_for="8.8.8.8"))[0] == 404


async def test_the_paths_that_are_named_are_all_that_there_are():
    assert all([(await OpsWorld().get(path))[0] in (200, 503) for path in OPS_PATHS])
    assert await OpsWorld().get("/") == (404, "")
    assert await OpsWorld().get("/metrics/") == (404, "")
