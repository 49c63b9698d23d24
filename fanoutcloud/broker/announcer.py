"""Announcements from code that does not run on the event loop: Django views, commands, Celery tasks.

An announcement only makes others look sooner (caches have their own time limits), so a failure is counted and
logged, and never fails the work that it was about.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol  # Any: options of redis-py, each of another type

import redis
from redis.sentinel import Sentinel

from fanoutcloud.broker.redis_address import Arrangement, parse_broker_url
from fanoutcloud.broker.redis_names import announcement_channel

logger = logging.getLogger(__name__)

#: A view waits no longer than this for Redis, once to connect and once to answer.
ANNOUNCE_TIMEOUT_S = 1.0


class Announcer(Protocol):
    """Sends announcements (see `Broker.announce`) from any thread."""

    def announce(self, topic: str, payload: bytes) -> None:
        """Send `payload` to every process that listens to `topic`; never raises, waits 2 s at most."""


class NullAnnouncer:
    """Announces to nobody: there is one process, and it is not running."""

    def announce(self, topic: str, payload: bytes) -> None:
        """Do nothing."""


class RedisAnnouncer:
    """Announces through Redis; connects when first used. `failures` counts what could not be sent."""

    def __init__(self, url: str, *, timeout_s: float = ANNOUNCE_TIMEOUT_S) -> None:
        self.failures = 0
        self._client = _open_client(url, timeout_s)

    def announce(self, topic: str, payload: bytes) -> None:
        """See `Announcer.announce`."""
        try:
            self._client.publish(announcement_channel(topic), payload)
        except (redis.RedisError, OSError) as error:
            self.failures += 1
            logger.warning("announcement_failed", extra={"topic": topic, "error": type(error).__name__})

    def close(self) -> None:
        """Close the connection, if there is one."""
        self._client.close()


def _open_client(url: str, timeout_s: float) -> redis.Redis:
    """Return a client of the server that announcements go through. In a Cluster any node passes them on to all."""
    target = parse_broker_url(url)
    times: dict[str, Any] = {"socket_connect_timeout": timeout_s, "socket_timeout": timeout_s}
    server = target.server
    if target.arrangement is Arrangement.SINGLE:
        return redis.Redis.from_url(url.partition("?replicas=")[0], **times)
    own: dict[str, Any] = {
        "username": server.username if server.password else None,
        "password": server.password,
        "ssl": server.tls,
    }
    if target.arrangement is Arrangement.CLUSTER:
        return redis.Redis(host=server.host, port=server.port, **own, **times)
    sentinel = Sentinel(  # type: ignore[no-untyped-call]  # redis-py declares no types here
        [(one.host, one.port) for one in target.servers],
        sentinel_kwargs={"password": target.servers[0].password, "ssl": server.tls, **times},
        db=server.database,
        **own,
        **times,
    )
    client: redis.Redis = sentinel.master_for(target.primary_name)  # type: ignore[no-untyped-call]
    return client


class LoopAnnouncer:
    """Announces within this process, through its event loop. `failures` counts what came after its end."""

    def __init__(self, loop: asyncio.AbstractEventLoop, deliver: Callable[[str, bytes], None]) -> None:
        self.failures = 0
        self._loop = loop
        self._deliver = deliver

    def announce(self, topic: str, payload: bytes) -> None:
        """See `Announcer.announce`."""
        try:
            self._loop.call_soon_threadsafe(self._deliver, topic, payload)
        except RuntimeError:  # the loop is closed: the process is ending
            self.failures += 1
            logger.warning("announcement_failed", extra={"topic": topic, "error": "LoopClosed"})
