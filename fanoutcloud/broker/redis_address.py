"""Where the broker's Redis is: one server, one behind Sentinels, or a Cluster; as read from a URL."""

import enum
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, unquote, urlsplit

_SENTINEL_PORT = 26379
_REDIS_PORT = 6379
#: Kind of URL → does it use TLS. The order is that of the error message.
_SCHEMES = {
    "redis": False,
    "rediss": True,
    "unix": False,
    "redis+sentinel": False,
    "rediss+sentinel": True,
    "redis+cluster": False,
    "rediss+cluster": True,
}


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """One server, and who we are there. Its text form hides the password."""

    host: str
    port: int
    path: str | None = None
    username: str = "default"
    password: str | None = None
    database: int = 0
    tls: bool = False

    def __repr__(self) -> str:
        return f"RedisAddress({self.path or f'{self.host}:{self.port}'})"

    def at(self, host: str, port: int) -> "RedisAddress":
        """Return another server where we are the same."""
        return replace(self, host=host, port=port)


class Arrangement(enum.Enum):
    """How many servers there are, and who knows which one to ask."""

    SINGLE = "single"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class RedisTarget:
    """What a broker URL names. `servers`: the server, the Sentinels, or some nodes of the Cluster.

    Everything but host and port of `server` holds for each server of the arrangement.
    """

    arrangement: Arrangement
    server: RedisAddress
    servers: tuple[RedisAddress, ...]
    primary_name: str = ""
    #: An item is acknowledged when so many replicas have it too.
    replicas: int = 0


def parse_redis_url(url: str) -> RedisAddress:
    """Return the address of one server: `redis://`, `rediss://` (TLS) or `unix://`, as redis-py and Celery read it.

    Raises:
        ValueError: it is another kind of URL. The message does not repeat the URL, which may hold a password.
    """
    target = parse_broker_url(url)
    if target.arrangement is not Arrangement.SINGLE:
        raise ValueError("a Redis URL begins with redis://, rediss:// or unix://")
    return target.server


def parse_broker_url(url: str) -> RedisTarget:
    """Return what the URL names. Besides those of `parse_redis_url`:

        redis+sentinel://[USER:PASSWORD@]HOST:PORT[,HOST:PORT…]/NAME[/DATABASE][?replicas=N&sentinel_password=…]
        redis+cluster://[USER:PASSWORD@]HOST:PORT[,HOST:PORT…][?replicas=N]

    and both with `rediss+…` for TLS. User and password are those of the Redis servers.

    Raises:
        ValueError: it can't be read. The message does not repeat the URL, which may hold a password.
    """
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in _SCHEMES:
        raise ValueError("a broker URL begins with " + ", ".join(f"{known}://" for known in _SCHEMES))
    parts = urlsplit(url)
    credentials, _, places = parts.netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    server = RedisAddress(
        *_read_place(places.split(",")[0], _REDIS_PORT),
        path=unquote(parts.path) if scheme == "unix" else None,
        username=unquote(username) or "default",
        password=unquote(password) if password else None,
        tls=_SCHEMES[scheme],
    )
    path = [unquote(part) for part in parts.path.split("/") if part]
    options = dict(parse_qsl(parts.query))
    read = {"": _read_single, "cluster": _read_cluster, "sentinel": _read_sentinel}[scheme.partition("+")[2]]
    target = read(server, places.split(","), path, options)
    return replace(target, replicas=_read_number(options.get("replicas", "0"), "replicas"))


def _read_single(server: RedisAddress, _: list[str], path: list[str], options: dict[str, str]) -> RedisTarget:
    database = options.get("db") or ("" if server.path else "".join(path)) or "0"
    server = replace(server, database=_read_number(database, "the database"))
    return RedisTarget(Arrangement.SINGLE, server, (server,))


def _read_cluster(server: RedisAddress, places: list[str], path: list[str], _: dict[str, str]) -> RedisTarget:
    if path and path != ["0"]:
        raise ValueError("a redis+cluster URL names no database: a Cluster has only one")
    return RedisTarget(Arrangement.CLUSTER, server, tuple(server.at(*_read_place(p, _REDIS_PORT)) for p in places))


def _read_sentinel(server: RedisAddress, places: list[str], path: list[str], options: dict[str, str]) -> RedisTarget:
    if not 1 <= len(path) <= 2:
        raise ValueError("a redis+sentinel URL ends with /NAME or /NAME/DATABASE, the name that the Sentinels know")
    server = replace(server, database=_read_number(path[1] if len(path) == 2 else "0", "the database"))
    asked = RedisAddress("", 0, password=options.get("sentinel_password"), tls=server.tls)
    sentinels = tuple(asked.at(*_read_place(place, _SENTINEL_PORT)) for place in places)
    return RedisTarget(Arrangement.SENTINEL, server, sentinels, primary_name=path[0])


def _read_place(place: str, default_port: int) -> tuple[str, int]:
    host, colon, port = place.rpartition(":") if not place.endswith("]") else (place, "", "")
    if not colon:
        host, port = place, ""
    return host.strip("[]") or "localhost", _read_number(port, "a port") if port else default_port


def _read_number(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{what} in a broker URL is a number")
    return int(text)
