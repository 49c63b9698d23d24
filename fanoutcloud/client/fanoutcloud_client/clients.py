"""The two doors: `Fanout` for blocking programs, `AsyncFanout` for asyncio. The same calls, in the same words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self, Unpack

import httpx

from fanoutcloud_client.blocking import Subscription
from fanoutcloud_client.calls import run, run_blocking, timeouts
from fanoutcloud_client.errors import Unauthorized
from fanoutcloud_client.items import NOTHING, Item, JsonObject
from fanoutcloud_client.publishing import Published, publish_as_user, publish_items
from fanoutcloud_client.reading import History, Presence, read_history, read_presence, request_api
from fanoutcloud_client.service import DEFAULT_PATIENCE_S, Service
from fanoutcloud_client.subscriptions import AsyncSubscription, GetToken, SubscribeOptions, Wanted
from fanoutcloud_client.tokens import Capability, make_token

_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=20)


class _Client:
    """What both have: where the realm is, what opens it, and the making of tokens, which asks nobody.

    `key` or `api_token` for servers, `token` for subscribers: text, or a function that is called with "connect",
    "expiring" or "denied" and returns a token. `patience_s` is how long a call is tried again, 50 s at most.
    """

    def __init__(
        self,
        url: str,
        realm: str = "",
        *,
        key: str = "",
        api_token: str = "",
        token: str | GetToken | None = None,
        site_url: str = "",
        patience_s: float = DEFAULT_PATIENCE_S,
    ) -> None:
        self.service = Service(url, realm, key, api_token, site_url, patience_s)
        self._token = token

    def make_token(
        self,
        channels: Mapping[str, Sequence[Capability]],
        *,
        user: str | None = None,
        lifetime_s: int = 3600,
        info: Any = None,  # any JSON
        token_id: str | None = None,
    ) -> str:
        """Return a subscriber token signed with the realm's key; see `fanoutcloud_client.tokens.make_token`."""
        if not self.service.key:
            raise Unauthorized(
                "a token is signed with the realm's key", code="no_credential", cure="give key, as on the realm's page"
            )
        return make_token(
            realm=self.service.realm,
            key=self.service.key,
            channels=channels,
            user=user,
            lifetime_s=lifetime_s,
            info=info,
            token_id=token_id,
        )

    def _wanted(self, channels: Sequence[str], options: SubscribeOptions) -> Wanted:
        wanted = Wanted(channels, **options)
        return wanted if wanted.token is not None else replace(wanted, token=self._token)

    @property
    def _fixed_token(self) -> str | None:
        """The token for calls by HTTP, where no key was given."""
        return self._token if isinstance(self._token, str) and not self.service.credential else None


class Fanout(_Client):
    """A realm, for blocking programs. Safe to share between threads. `with` closes its connections."""

    def __init__(self, *args: Any, **options: Any) -> None:  # as `_Client`
        super().__init__(*args, **options)
        self.http = httpx.Client(timeout=timeouts())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept."""
        self.http.close()

    def publish(self, channel: str, data: Any = NOTHING, **more: Any) -> Published:  # Any: JSON; the fields of Item
        """Publish one item; `more` are the fields of `Item`. Returns when it is stored.

        Raises:
            FanoutError: it was refused, or no answer came in `patience_s`.
        """
        return self.publish_items([Item(channel, data, **more)])[0]

    def publish_items(self, items: Iterable[Item]) -> list[Published]:
        """Publish items in order; see `fanoutcloud_client.publishing.publish_items`."""
        if self._fixed_token is not None:
            calls = [publish_as_user(self.service, self._fixed_token, item) for item in items]
            return [run_blocking(call, self.http) for call in calls]
        return run_blocking(publish_items(self.service, items), self.http)

    def subscribe(self, *channels: str, **options: Unpack[SubscribeOptions]) -> Subscription:
        """Return a subscription, to iterate over; see `fanoutcloud_client.blocking.Subscription`."""
        wanted = self._wanted(channels, options)
        return Subscription(self.service, wanted, lambda: httpx.AsyncClient(timeout=timeouts(), limits=_LIMITS))

    def history(
        self, channel: str, *, before: str | None = None, after: str | None = None, limit: int | None = None
    ) -> History:
        """Return a page of what the channel keeps; see `fanoutcloud_client.reading.read_history`."""
        return run_blocking(read_history(self.service, channel, before=before, after=after, limit=limit), self.http)

    def presence(self, channel: str) -> Presence:
        """Return who is on the channel."""
        return run_blocking(read_presence(self.service, channel, token=self._fixed_token), self.http)

    def request(self, method: str, path: str, **options: Any) -> JsonObject:  # as `request_api`
        """Make a request of the management API, such as `request("GET", "/realms")`."""
        return run_blocking(request_api(self.service, method, path, **options), self.http)


class AsyncFanout(_Client):
    """A realm, for asyncio. `async with` closes its connections."""

    def __init__(self, *args: Any, **options: Any) -> None:  # as `_Client`
        super().__init__(*args, **options)
        self.http = httpx.AsyncClient(timeout=timeouts(), limits=_LIMITS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections that are kept; close subscriptions first."""
        await self.http.aclose()

    async def publish(self, channel: str, data: Any = NOTHING, **more: Any) -> Published:  # as `Fanout.publish`
        """Publish one item; `more` are the fields of `Item`. Returns when it is stored.

        Raises:
            FanoutError: it was refused, or no answer came in `patience_s`.
        """
        return (await self.publish_items([Item(channel, data, **more)]))[0]

    async def publish_items(self, items: Iterable[Item]) -> list[Published]:
        """Publish items in order; see `fanoutcloud_client.publishing.publish_items`."""
        if self._fixed_token is not None:
            calls = [publish_as_user(self.service, self._fixed_token, item) for item in items]
            return [await run(call, self.http) for call in calls]
        return await run(publish_items(self.service, items), self.http)

    def subscribe(self, *channels: str, **options: Unpack[SubscribeOptions]) -> AsyncSubscription:
        """Return a subscription, to iterate over; see `fanoutcloud_client.subscriptions.AsyncSubscription`."""
        wanted = self._wanted(channels, options)
        return AsyncSubscription(self.service, wanted, self.http)

    async def history(
        self, channel: str, *, before: str | None = None, after: str | None = None, limit: int | None = None
    ) -> History:
        """Return a page of what the channel keeps; see `fanoutcloud_client.reading.read_history`."""
        return await run(read_history(self.service, channel, before=before, after=after, limit=limit), self.http)

    async def presence(self, channel: str) -> Presence:
        """Return who is on the channel."""
        return await run(read_presence(self.service, channel, token=self._fixed_token), self.http)

    async def request(self, method: str, path: str, **options: Any) -> JsonObject:  # as `request_api`
        """Make a request of the management API, such as `request("GET", "/realms")`."""
        return await run(request_api(self.service, method, path, **options), self.http)
