"""Where a realm is, and with what it is opened."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode, urlsplit

from fanoutcloud_client.errors import InvalidRequest
from fanoutcloud_client.version import USER_AGENT

DEFAULT_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Service:
    """An installation and, for most calls, a realm in it, with one credential for servers.

    `key` is a key of the realm; `api_token` a `fan_…` text of the dashboard. Both open the realm's API; the site,
    where subscribers are, takes subscriber tokens instead. `patience_s` is how long a request that may be made again is
    tried.
    """

    url: str
    realm: str = ""
    key: str = field(default="", repr=False)
    api_token: str = field(default="", repr=False)
    site_url: str = ""
    patience_s: float = DEFAULT_PATIENCE_S

    def __post_init__(self) -> None:
        for name, value in (("url", self.url), ("site_url", self.site_url)):
            parts = urlsplit(value)
            if value and (parts.scheme not in ("http", "https") or not parts.netloc):
                raise InvalidRequest(
                    f"{value!r} is no address", cure="give one such as https://push.example.com", field=name
                )
        object.__setattr__(self, "url", self.url.rstrip("/"))
        object.__setattr__(self, "site_url", self.site_url.rstrip("/"))

    @property
    def site(self) -> str:
        """The realm's site: its own host if that was given, else the path form, which needs no DNS."""
        return self.site_url or f"{self.url}/r/{self.need_realm()}"

    def need_realm(self) -> str:
        """Return the realm's id, quoted for a path, or raise InvalidRequest."""
        if not self.realm:
            raise InvalidRequest("no realm is named", cure="give the realm's id, as on its page", field="realm")
        return quote(self.realm, safe="")

    def site_address(self, path: str, query: Sequence[tuple[str, str]] = ()) -> str:
        """Return an address under the realm's site, such as `/fanout/sse`."""
        return f"{self.site}{path}" + (f"?{urlencode(query)}" if query else "")

    def api_address(self, path: str, query: Sequence[tuple[str, str]] = ()) -> str:
        """Return an address of the management API, such as `/realms`."""
        return f"{self.url}/api/v1{path}" + (f"?{urlencode(query)}" if query else "")

    def realm_address(self, path: str = "", query: Sequence[tuple[str, str]] = ()) -> str:
        """Return an address of the realm in the management API, such as `history`."""
        return self.api_address(f"/realms/{self.need_realm()}" + (f"/{path}" if path else ""), query)

    @property
    def credential(self) -> str:
        """The value of `Authorization` for servers, empty where there is none."""
        if self.key:
            return "Basic " + base64.b64encode(f"{self.realm}:{self.key}".encode()).decode()
        return f"Bearer {self.api_token}" if self.api_token else ""

    def headers(self) -> list[tuple[str, str]]:
        """Return the headers of a request to the API."""
        headers = [("Accept", "application/json"), ("User-Agent", USER_AGENT)]
        return [*headers, ("Authorization", self.credential)] if self.credential else headers


def token_headers(token: str | None) -> list[tuple[str, str]]:
    """Return the headers of a request to the site. Tokens go into no address: those are logged."""
    headers = [("User-Agent", USER_AGENT)]
    return [*headers, ("Authorization", f"Bearer {token}")] if token else headers
