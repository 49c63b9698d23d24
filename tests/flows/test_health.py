"""Whether a process lives and whether it can work are two questions, asked of the real product."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.servers.postgres import PostgresServer, running_postgres
from tests.servers.product import Product, running_product
from tests.servers.redis import RedisServer

#: The database is looked at every 5 s, and given 2 s to answer.
PATIENCE_S = 30.0


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL for one test, which may stop it."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def process(tmp_path: Path, redis_server: RedisServer, postgres: PostgresServer) -> Iterator[Product]:
    """A process that needs both Redis and PostgreSQL."""
    folder = tmp_path / "product"
    folder.mkdir()
    with running_product(folder, REDIS_URL=redis_server.url, DATABASE_URL=postgres.url) as product:
        yield product


def wait_for(http: httpx.Client, process: Product, status: int, *lines: str) -> None:
    """Ask until the process is as ready as that; it has to live all the time."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        answer = http.get(f"{process.url}/readyz")
        assert http.get(f"{process.url}/healthz").status_code == 200
        if (answer.status_code, answer.text) == (status, "".join(f"{line}\n" for line in lines)):
            return
        assert time.monotonic() < deadline, answer.text


@pytest.mark.slow
def test_a_process_without_its_parts_lives_and_is_not_ready(
    http: httpx.Client, process: Product, redis_server: RedisServer, postgres: PostgresServer
):
    wait_for(http, process, 200, "ready")

    redis_server.kill()
    wait_for(http, process, 503, "broker: does not work")
    assert "fanout_broker_up 0.0" in http.get(f"{process.url}/metrics").text
    redis_server.start()
    wait_for(http, process, 200, "ready")

    postgres.stop()
    wait_for(http, process, 503, "database: does not work")
    metrics = http.get(f"{process.url}/metrics").text
    assert "fanout_health_ready 0.0" in metrics
    assert "fanout_database_up 0.0" in metrics
