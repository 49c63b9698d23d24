"""The cache of the rate limits, with Redis and without."""

import logging
import time

import pytest

from fanoutcloud.degrading_cache import DegradingRedisCache
from tests.servers.redis import RedisServer


@pytest.fixture(autouse=True)
def _no_memory_of_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DegradingRedisCache, "_retry_at", 0.0)


def make_cache(url: str) -> DegradingRedisCache:
    cache = DegradingRedisCache(url, {"OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1}})
    cache._memory.clear()
    return cache


def test_with_redis_processes_share_what_is_counted(redis_url: str):
    make_cache(redis_url).set("guesses", 3)

    assert make_cache(redis_url).get("guesses") == 3


def test_without_redis_a_process_counts_for_itself(redis_server: RedisServer, caplog: pytest.LogCaptureFixture):
    cache = make_cache(redis_server.url)
    cache.set("guesses", 1)
    redis_server.kill()

    with caplog.at_level(logging.WARNING):
        cache.set("guesses", 2)
        assert cache.get("guesses") == 2
        assert (cache.add("lock", 1), cache.add("lock", 1), cache.delete("lock")) == (True, False, True)

    assert [record.message for record in caplog.records] == ["cache_degraded"], "asked and told once, not each time"


def test_redis_is_used_again_when_it_is_back(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch):
    cache = make_cache(redis_server.url)
    redis_server.kill()
    cache.set("guesses", 2)
    redis_server.start()

    monkeypatch.setattr(DegradingRedisCache, "_retry_at", time.monotonic())
    cache.set("guesses", 5)

    assert make_cache(redis_server.url).get("guesses") == 5
