"""Sessions that follow their clients: a request at an edge that does not know its client brings the session there.

The edge asks all others; the one that has the session gives it away and forgets it. Between those two moments the
session is at neither: an edge on the way to a session says that it is coming, and who asked asks again. The wait is
bounded, and a session that is not found by then is an unknown client (docs/api/bayeux.md).
"""

import asyncio
import itertools
import re
from collections import OrderedDict
from collections.abc import Collection

from fanoutcloud.broker.roll_call import RollCall
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import RealmId
from fanoutcloud.edge.bayeux.session import BayeuxSession
from fanoutcloud.edge.bayeux.session_state import SessionState, pack_state, unpack_state
from fanoutcloud.edge.bayeux.sessions import Sessions
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.reporting.census import TakeSession, encode

#: What an edge answers that has no session to give: it knows none, or is about to have it.
NOT_HERE = b""
COMING = b"-"
#: A session on its way is asked for again after this, until `SEEK_S` are over and it was done this often.
AGAIN_S = 0.02
SEEK_S = 0.5
MIN_QUESTIONS = 5
#: So often a session is looked for that edges with requests of the same client take from each other.
MAX_TURNS = 10
#: While a process seeks this many, further clients that it does not know are told to shake hands.
MAX_SEEKS = 100
#: A session that was given away is told again to who asks again, since the answer may have come too late.
GIVEN_S = 2.0
MAX_GIVEN = 256
MAX_GIVEN_BYTES = 65_536
_CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{32}\Z")


class Moves:
    """One process's part: finds sessions at other edges, and gives its own to them."""

    def __init__(self, hub: Hub, sessions: Sessions, roll_call: RollCall | None) -> None:
        """Without a `roll_call`, there are no other edges."""
        self._hub = hub
        self._sessions = sessions
        self._roll_call = roll_call
        self._numbers = itertools.count(1)
        #: Sessions on the way here; done with whether they came.
        self._seeking: dict[tuple[RealmId, str], asyncio.Future[bool]] = {}
        #: Client → who took its session with which number, what it was told, and when.
        self._given: OrderedDict[str, tuple[str, int, bytes, float]] = OrderedDict()

    async def find(self, realm: RealmId, client_id: str | None) -> BayeuxSession | None:
        """Return the realm's session of this name, brought here if another edge has it; see `Sessions.find`."""
        for _ in range(MAX_TURNS):  # it may have been taken from here by the time that we go on
            session = self._sessions.find(realm, client_id)
            if session is not None or client_id is None or not self._may_be_elsewhere(client_id):
                return session
            under_way = self._seeking.get((realm, client_id))
            found = await (self._seek(realm, client_id) if under_way is None else asyncio.shield(under_way))
            if not found:
                return None
        return self._sessions.find(realm, client_id)

    def _may_be_elsewhere(self, client_id: str) -> bool:
        if self._roll_call is None or not self._roll_call.is_running or not _CLIENT_ID.match(client_id):
            return False
        has_room = len(self._seeking) < MAX_SEEKS and not self._sessions.is_full
        return has_room and len(self._roll_call.present()) > 1

    async def _seek(self, realm: RealmId, client_id: str) -> bool:
        under_way = self._seeking[realm, client_id] = asyncio.get_running_loop().create_future()
        session = None
        try:
            state = await self._ask(realm, client_id)
            if state is not None:
                session = self._sessions.take_in(realm, state)
                with session.in_use():
                    await session.resume()
        except Unavailable:
            pass  # the broker's; a session that is here goes on with its channels at the next connect
        finally:
            del self._seeking[realm, client_id]
            under_way.set_result(session is not None)
        return session is not None

    async def _ask(self, realm: RealmId, client_id: str) -> SessionState | None:
        """Return the session that some edge gives away, or None.

        Raises:
            Unavailable: see `RollCall.ask`.
        """
        assert self._roll_call is not None, "see _may_be_elsewhere"
        loop = asyncio.get_running_loop()
        question = encode(TakeSession(realm, client_id, self._roll_call.edge, next(self._numbers)))
        ends_at, has_missed, asked = loop.time() + SEEK_S, False, 0
        while asked < MIN_QUESTIONS or loop.time() < ends_at:
            asked += 1
            answers = await self._roll_call.ask(question, until=_is_session)
            told = answers.by_edge.values()
            if (packed := _find_session(told)) is not None:
                return unpack_state(packed)
            if COMING in told:
                await asyncio.sleep(AGAIN_S)
            elif answers.missing and not has_missed:
                has_missed = True
            else:
                return None
        return None

    # -- what other edges ask

    def give(self, asked: TakeSession) -> bytes:
        """Return the session that another edge asks for, which has it from now on; or that it is not here."""
        if self._roll_call is None or asked.asker == self._roll_call.edge:
            return NOT_HERE
        session = self._sessions.peek(asked.realm, asked.client_id)
        if session is None:
            asker, number, packed, at = self._given.get(asked.client_id, ("", 0, b"", 0.0))
            if (asker, number) == (asked.asker, asked.number) and at > self._hub.clock.monotonic() - GIVEN_S:
                return packed
            return COMING if (asked.realm, asked.client_id) in self._seeking else NOT_HERE
        if session.is_in_use:
            return COMING
        packed = pack_state(session.depart())
        self._sessions.forget(session)
        self._note_given(asked, packed)
        return packed

    def _note_given(self, asked: TakeSession, packed: bytes) -> None:
        now = self._hub.clock.monotonic()
        self._given.pop(asked.client_id, None)
        while self._given and (len(self._given) >= MAX_GIVEN or next(iter(self._given.values()))[3] < now - GIVEN_S):
            self._given.popitem(last=False)
        if len(packed) <= MAX_GIVEN_BYTES:
            self._given[asked.client_id] = (asked.asker, asked.number, packed, now)


def _is_session(told: bytes) -> bool:
    return told not in (NOT_HERE, COMING)


def _find_session(told: Collection[bytes]) -> bytes | None:
    return next(filter(_is_session, told), None)
