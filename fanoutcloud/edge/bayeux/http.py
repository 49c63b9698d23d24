"""Bayeux over HTTP: long-polling, cross-origin-long-polling, callback-polling, and the script for pages."""

from pathlib import Path
from urllib.parse import parse_qsl

from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.errors import FanoutError, InvalidRequest, MethodNotAllowed, NotFound
from fanoutcloud.edge.access.gate import find_token
from fanoutcloud.edge.bayeux.conversation import Answer, Conversation
from fanoutcloud.edge.bayeux.event_source import EVENT_STREAM, serve_event_source
from fanoutcloud.edge.bayeux.messages import read_messages, write_batch
from fanoutcloud.edge.bayeux.moves import Moves
from fanoutcloud.edge.bayeux.protocol import unknown_stream
from fanoutcloud.edge.bayeux.sessions import Sessions
from fanoutcloud.edge.connections.holding import HeldAnswer, hold
from fanoutcloud.edge.connections.sinks import Receive, Scope, Send
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.site.bodies import read_body
from fanoutcloud.edge.site.json_p import SCRIPT, check_callback, write_script
from fanoutcloud.edge.site.requests import client_address
from fanoutcloud.edge.site.responses import Headers, headers_for_page, respond, respond_error

PATH = "/bayeux"
METHODS = "GET, POST, OPTIONS"
MAX_BODY_BYTES = 131_072
DEFAULT_CALLBACK = "jsonpcallback"
_JSON = (b"content-type", b"application/json; charset=utf-8")
_PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"POST, GET"),
    (b"access-control-allow-headers", b"Accept, Authorization, Content-Type, Pragma, X-Requested-With"),
    (b"access-control-max-age", b"86400"),
]
_SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
#: Path under the site → file: Faye's names for the script, and ours.
SCRIPT_PATHS = {
    "/bayeux/static/faye-browser-min.js": "faye.js",
    "/bayeux/static/faye-browser.js": "faye.js",
    "/bayeux/client.js": "faye.js",
    "/bayeux.js": "faye.js",
}


class BayeuxHttp:
    """Serves one process's Bayeux requests. `path` is the one under the realm's site."""

    def __init__(self, hub: Hub, sessions: Sessions, moves: Moves) -> None:
        self._hub = hub
        self._moves = moves
        self._sessions = sessions

    async def serve(self, path: str, realm: RealmSnapshot, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; where our own server holds it, return before the answer.

        Faye's clients ask pages of other origins to be let in with credentials, so that also errors name the origin.
        """
        headers = headers_for_page(scope)
        try:
            if scope["method"] == "OPTIONS":
                await respond(send, 200, b"", headers=_PREFLIGHT, site_headers=headers)
            elif path in SCRIPT_PATHS:
                await _send_script(SCRIPT_PATHS[path], send)
            elif path != PATH:
                await self._serve_stream(path.removeprefix(f"{PATH}/"), realm, scope, receive, send)
            elif scope["method"] == "POST":
                await self._answer(await _read_post(scope, receive), "", realm, scope, receive, send)
            elif scope["method"] == "GET":
                text, callback = _read_query(scope)
                await self._answer(text, callback, realm, scope, receive, send)
            else:
                raise MethodNotAllowed(scope["method"], METHODS)
        except FanoutError as error:
            self._hub.tell_refused(realm.realm, error, client_address(scope))
            await respond_error(send, error, site_headers=headers)

    async def _serve_stream(
        self, client_id: str, realm: RealmSnapshot, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if "/" in client_id or scope["method"] != "GET":
            raise NotFound("this realm's site has nothing at this path", cure="use /bayeux")
        session = await self._moves.find(realm.realm, client_id)
        if session is None:
            # One event that sends it to shake hands: Faye learns nothing from a refusal of its stream.
            body = b"data: %b\n\n" % write_batch([unknown_stream(client_id)])
            await respond(send, 200, body, headers=[EVENT_STREAM], site_headers=headers_for_page(scope))
        else:
            await serve_event_source(self._hub, self._sessions, session, scope, receive, send)

    async def _answer(
        self, text: bytes, callback: str, realm: RealmSnapshot, scope: Scope, receive: Receive, send: Send
    ) -> None:
        messages = read_messages(text)
        token = find_token(scope)
        address = client_address(scope)
        conversation = Conversation(self._hub, self._sessions, self._moves, realm, address=address, token=token)
        answer = await conversation.answer(messages)
        headers = [*headers_for_page(scope), SCRIPT if callback else _JSON]

        def make_body() -> bytes:
            session = answer.session
            held.is_last = session is not None and session.close_reason is CloseReason.DRAINING
            batch = write_batch(answer.messages())
            return write_script(callback, batch) if callback else batch

        held = HeldAnswer(make_body, headers, on_over=lambda over: self._on_over(answer, over))
        if answer.may_wait and answer.session is not None:
            answer.session.wake = held.become_ready
            await hold(held, scope, receive, send, timeout_s=answer.hold_s)
        else:
            await hold(held, scope, receive, send, timeout_s=0)

    def _on_over(self, answer: Answer, over: HeldAnswer) -> None:
        session = answer.session
        if session is not None:
            if session.wake == over.become_ready:
                session.wake = None
            self._sessions.rest(session)


async def _read_post(scope: Scope, receive: Receive) -> bytes:
    """Return the messages of a body: JSON, or a form with a field `message` as pages of other origins send it."""
    body = await read_body(receive, limit_bytes=MAX_BODY_BYTES)
    content_type = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    if content_type.partition(b";")[0].strip().lower() == b"application/json" or body.lstrip()[:1] in (b"[", b"{"):
        return body
    try:
        fields = dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=10))
    except ValueError:
        fields = {}
    if "message" not in fields:
        raise _no_message()
    return fields["message"].encode()


def _read_query(scope: Scope) -> tuple[bytes, str]:
    """Return the messages and the callback of callback-polling."""
    query = scope["query_string"].decode("latin-1")
    try:
        fields = dict(parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=10))
    except ValueError:
        fields = {}
    if "message" not in fields:
        raise _no_message()
    return fields["message"].encode(), check_callback(fields.get("jsonp") or DEFAULT_CALLBACK, field="jsonp")


def _no_message() -> InvalidRequest:
    return InvalidRequest("no Bayeux message came", cure="POST a JSON list, or use a Bayeux client", field="message")


async def _send_script(name: str, send: Send) -> None:
    headers = [SCRIPT, (b"cache-control", b"public, max-age=3600")]
    await respond(send, 200, (_SCRIPTS / name).read_bytes(), headers=headers, site_headers=_SCRIPT_HEADERS)


_SCRIPT_HEADERS: Headers = [
    (b"access-control-allow-origin", b"*"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"cross-origin"),
]
