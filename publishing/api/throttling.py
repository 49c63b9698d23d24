"""How many requests one credential may make in a minute; counted over all processes where they share a cache."""

import time

from django.conf import settings
from django.core.cache import cache

from fanoutcloud.core.errors import RateLimited
from realms.actors import Actor

WINDOW_S = 60


class RequestLimit(RateLimited):
    """The credential has made as many requests as it may in this minute."""

    code = "too_many_requests"


def take_request(actor: Actor) -> None:
    """Count one request of the actor. Without a cache that answers, every process counts for itself.

    Raises:
        RequestLimit: there were `API_REQUESTS_PER_MINUTE` already.
    """
    limit: int = settings.API_REQUESTS_PER_MINUTE
    if not limit:
        return
    now = time.time()
    window = int(now // WINDOW_S)
    key = f"api-requests:{actor.id}:{window}"
    cache.add(key, 0, timeout=2 * WINDOW_S)
    try:
        count = cache.incr(key)
    except ValueError:  # the cache has forgotten it between the two lines
        count = 1
    if count > limit:
        wait_s = max(1, round((window + 1) * WINDOW_S - now))
        raise RequestLimit(f"more than {limit} requests came in a minute", retry_after_s=wait_s)
