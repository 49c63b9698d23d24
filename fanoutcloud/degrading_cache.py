"""A cache in Redis that goes on, in this process's memory, while Redis is gone.

What is cached are the limits on signing in and up. Without Redis each process counts for itself: somebody who guesses
passwords gets a few more tries, and everybody else can still sign in.
"""

import logging
import time
from typing import Any, ClassVar

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

#: How long Redis is left alone after a failure, so that a request waits for it once and not at every step.
RETRY_DELAY_S = 5.0


class DegradingRedisCache(RedisCache):
    """`RedisCache` whose `add`, `get`, `set`, `incr` and `delete` never fail for want of Redis."""

    #: When Redis may be asked again. Of the class, since Django makes an instance for every thread.
    _retry_at: ClassVar[float] = 0.0

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._memory = LocMemCache("while-redis-is-gone", params={})

    def add(self, *args: Any, **kwargs: Any) -> bool:
        """See `BaseCache.add`."""
        return bool(self._attempt("add", *args, **kwargs))

    def get(self, *args: Any, **kwargs: Any) -> Any:
        """See `BaseCache.get`."""
        return self._attempt("get", *args, **kwargs)

    def set(self, *args: Any, **kwargs: Any) -> None:
        """See `BaseCache.set`."""
        self._attempt("set", *args, **kwargs)

    def incr(self, *args: Any, **kwargs: Any) -> int:
        """See `BaseCache.incr`."""
        return int(self._attempt("incr", *args, **kwargs))

    def delete(self, *args: Any, **kwargs: Any) -> bool:
        """See `BaseCache.delete`."""
        return bool(self._attempt("delete", *args, **kwargs))

    def _attempt(self, operation: str, *args: Any, **kwargs: Any) -> Any:
        if time.monotonic() >= DegradingRedisCache._retry_at:
            try:
                return getattr(super(), operation)(*args, **kwargs)
            except (RedisError, OSError) as error:
                DegradingRedisCache._retry_at = time.monotonic() + RETRY_DELAY_S
                logger.warning("cache_degraded", extra={"error": type(error).__name__})
        return getattr(self._memory, operation)(*args, **kwargs)
