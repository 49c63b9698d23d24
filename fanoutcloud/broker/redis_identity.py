"""Whether Redis still has what it acknowledged: the lineage of its data.

A stream's offsets only mean something while no end of it can have been taken back. Redis takes back in two ways: it
restarts from a file that is older than its answers, and a replica that lagged is promoted. Each such life of the data
gets a random name, the lineage. Streams note the lineage they were written under, and begin a new epoch in another.
Source: docs/decisions/0005-lineage.md.
"""

import hashlib
import secrets
from dataclasses import dataclass

from fanoutcloud.broker.redis_connection import RedisConnection
from fanoutcloud.broker.redis_names import LINEAGE_KEY
from fanoutcloud.core.errors import Unavailable

_NO_REPLICATION_ID = "0" * 40


class NotPrimary(Unavailable):
    """The server is a replica."""


@dataclass(frozen=True, slots=True)
class ServerLife:
    """What a server says about itself. Equal as long as it runs and its data has never been another server's.

    `promotion` names the last time it became a primary with another one's data; empty if never. `durability` is `1`
    when it survives a crash with all that it has acknowledged, `0` when not, and `?` while that can't be told.
    """

    run_id: str
    promotion: str
    durability: str

    @property
    def name(self) -> str:
        """A short name for this life: what a Cluster's streams note, where no key can be kept for all slots."""
        return hashlib.sha1(f"{self.run_id} {self.promotion}".encode()).hexdigest()[:12]  # noqa: S324 - no secret

    def is_continued_by(self, later: "ServerLife") -> bool:
        """Whether the same server says `later`, without having been a replica between.

        Redis forgets `promotion` when it has been without replicas for an hour; that alone takes nothing back.
        """
        return self.run_id == later.run_id and later.promotion in (self.promotion, "")


async def look_up_life(connection: RedisConnection) -> ServerLife:
    """Return what the server at the other end says about itself. One round trip.

    Raises:
        NotPrimary: it is a replica.
        Unavailable: it did not answer.
    """
    info_call, fsync_call = connection.call_all(
        [("INFO", "server", "replication", "persistence"), ("CONFIG", "GET", "appendfsync")]
    )
    try:
        fsync = (await fsync_call).get(b"appendfsync", b"")
    except Unavailable:  # we may not ask: then nothing is known, and nothing promised
        fsync = b""
    info = dict(line.partition(":")[::2] for line in (await info_call).decode().splitlines())
    if info.get("role") != "master":
        raise NotPrimary("the broker is a replica", retry_after_s=1)
    past = info.get("master_replid2", _NO_REPLICATION_ID)
    promotion = "" if past == _NO_REPLICATION_ID else f"{past}:{info.get('second_repl_offset', '')}"
    return ServerLife(info["run_id"], promotion, _durability(info, fsync))


def _durability(info: dict[str, str], fsync: bytes) -> str:
    if info.get("aof_enabled") != "1" or fsync != b"always" or info.get("aof_last_write_status") != "ok":
        return "0"
    # A file that is being written for the first time does not hold everything yet.
    is_rewriting = "1" in (info.get("aof_rewrite_in_progress"), info.get("aof_rewrite_scheduled"))
    return "?" if is_rewriting else "1"


# KEYS: where the lineage is kept, with the data, so that it is taken back with it. ARGV: run id, promotion,
# durability, address, name for a new lineage. Returns the lineage. A restart of the same server continues it if its
# file is complete. The DEL makes the HSET pass although memory is full (Redis lets a script end that has written).
_NAME_LINEAGE = """
local was = redis.call('HMGET', KEYS[1], 'run_id', 'promotion', 'durability', 'address', 'lineage')
local run_id, promotion, durability, address, lineage = ARGV[1], ARGV[2], ARGV[3], ARGV[4], was[5]
local is_same = was[1] == run_id and (was[2] == promotion or promotion == '')
local is_complete = was[3] == '1' and durability ~= '0' and promotion == '' and was[4] == address
if not (lineage and (is_same or was[1] ~= run_id and is_complete)) then lineage = ARGV[5] end
if durability == '?' then durability = lineage == was[5] and was[3] or '0' end
if lineage ~= was[5] or was[1] ~= run_id or was[2] ~= promotion or was[3] ~= durability or was[4] ~= address then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'run_id', run_id, 'promotion', promotion, 'durability', durability,
    'address', address, 'lineage', lineage)
end
return lineage
"""


async def name_lineage(connection: RedisConnection, life: ServerLife, address: str) -> str:
    """Return the lineage of the data that the server has now; two processes that ask get the same.

    Raises:
        Unavailable: it could not be looked up.
    """
    arguments = (life.run_id, life.promotion, life.durability, address, secrets.token_hex(6))
    reply: bytes = await connection.call("EVAL", _NAME_LINEAGE, 1, LINEAGE_KEY, *arguments)
    return reply.decode()
