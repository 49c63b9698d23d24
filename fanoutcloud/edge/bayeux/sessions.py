"""The Bayeux clients of this process: found by their `clientId`, and given up when they do not come back."""

import asyncio
from collections import OrderedDict

from fanoutcloud.core.access import ANONYMOUS, Grant
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import RealmId
from fanoutcloud.edge.bayeux.session import BayeuxSession
from fanoutcloud.edge.bayeux.session_state import SessionState
from fanoutcloud.edge.hub.hub import Hub

#: A client that has no connect held is given up after this; Faye comes back within seconds, a phone within a minute,
#: and over EventSource at the interval that it is advised.
ABSENT_S = 60.0
#: One that never came back after its handshake, sooner.
HANDSHAKE_S = 15.0
#: More clients than this in one process are turned away, but those who only shook hands make room first.
MAX_SESSIONS = 50_000
_SWEEP_S = 1.0


class Sessions:
    """All of one process. The hub owns the task that gives clients up."""

    def __init__(self, hub: Hub, *, max_sessions: int = MAX_SESSIONS) -> None:
        self._hub = hub
        self._max_sessions = max_sessions
        self._sessions: dict[str, BayeuxSession] = {}
        #: Those who have no connect held, and since when; the longest absent first.
        self._absent: OrderedDict[BayeuxSession, float] = OrderedDict()
        #: The same of those that have done nothing since their handshake.
        self._new: OrderedDict[BayeuxSession, float] = OrderedDict()
        self._is_sweeping = False

    @property
    def is_full(self) -> bool:
        """Whether this process can't have one more, though those who only shook hands make room."""
        return len(self._sessions) >= self._max_sessions and not self._new

    def __len__(self) -> int:
        return len(self._sessions)

    def open(self, realm: RealmId, *, address: str, grant: Grant = ANONYMOUS) -> BayeuxSession:
        """Return a new session. The realm must have admitted one more connection.

        Raises:
            Unavailable: this process has as many as it may have.
        """
        if len(self._sessions) >= self._max_sessions:
            if self.is_full:
                raise Unavailable("this server has all the Bayeux clients that it can have", retry_after_s=5)
            self._give_up(next(iter(self._new)))
        session = BayeuxSession(realm, address=address, hub=self._hub)
        session.grant = grant
        self._new[session] = self._hub.clock.monotonic()
        self._begin(session)
        return session

    def take_in(self, realm: RealmId, state: SessionState) -> BayeuxSession:
        """Return the session that another edge gave away; `resume` brings it to its channels."""
        session = BayeuxSession(realm, address=state.address, hub=self._hub)
        session.arrive(state)
        self._absent[session] = self._hub.clock.monotonic()
        self._begin(session)
        return session

    def _begin(self, session: BayeuxSession) -> None:
        self._hub.register(session)
        self._sessions[session.client_id] = session
        if not self._is_sweeping:
            self._is_sweeping = True
            self._hub.spawn(self._sweep())

    def find(self, realm: RealmId, client_id: str | None) -> BayeuxSession | None:
        """Return the realm's session of this name. It is present from now on, until `rest`."""
        session = self.peek(realm, client_id)
        if session is not None:
            self._new.pop(session, None)
            self._absent.pop(session, None)
        return session

    def peek(self, realm: RealmId, client_id: str | None) -> BayeuxSession | None:
        """Return the same, without counting it as present."""
        session = self._sessions.get(client_id or "")
        return None if session is None or session.realm != realm or session.is_closed else session

    def rest(self, session: BayeuxSession) -> None:
        """Begin to count its absence, unless a connect of the client is held: that alone shows that it is there."""
        if session.is_closed:
            self.forget(session)
        elif session.wake is None:
            self._absent[session] = self._hub.clock.monotonic()
            self._absent.move_to_end(session)

    def end(self, session: BayeuxSession) -> None:
        """Forget a client that said good-bye."""
        if session.outlet is not None and session.outlet.outlives_session:
            session.detach(session.outlet)
        session.close(CloseReason.CLIENT_LEFT)
        self.forget(session)

    def _give_up(self, session: BayeuxSession) -> None:
        session.close(CloseReason.CLIENT_LEFT)
        self.forget(session)

    def forget(self, session: BayeuxSession) -> None:
        """Know nothing of a session any more; one that left and came back is another object."""
        if self._sessions.get(session.client_id) is session:
            del self._sessions[session.client_id]
        self._new.pop(session, None)
        self._absent.pop(session, None)

    async def _sweep(self) -> None:
        while self._sessions:
            await asyncio.sleep(_SWEEP_S)
            self.sweep()
        self._is_sweeping = False

    def sweep(self) -> None:
        """Give up those who have been away for too long, and forget those who were closed meanwhile."""
        now = self._hub.clock.monotonic()
        for waiting, limit_s in ((self._new, HANDSHAKE_S), (self._absent, ABSENT_S)):
            while waiting and (next(iter(waiting.values())) <= now - limit_s or next(iter(waiting)).is_closed):
                self._give_up(next(iter(waiting)))
