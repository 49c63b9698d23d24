"""`POST /xmpp/auth`: an XMPP server asks whether a password, which is a token, holds."""

import hmac

import msgspec

from fanoutcloud.core.errors import BodyTooLarge, Forbidden, InvalidRequest, LimitReached, Unauthorized, Unavailable
from fanoutcloud.edge.connections.sinks import Receive, Scope, Send
from fanoutcloud.edge.site.bodies import read_body
from fanoutcloud.edge.site.responses import respond
from fanoutcloud.xmpp.access import Access
from fanoutcloud.xmpp.addresses import Domains, find_account

MAX_BODY_BYTES = 32_768
_JSON = (b"content-type", b"application/json")


class _Question(msgspec.Struct):
    user: str
    host: str
    password: str
    ip: str = ""


_decoder = msgspec.json.Decoder(_Question)


class SignInEndpoint:
    """Answers 200 where the password holds, 401 where not, 503 where that can't be told now.

    Whoever asks has to know the components' secret: the answer would help to guess.
    """

    def __init__(self, access: Access, domains: Domains, secret: str) -> None:
        self._access = access
        self._domains = domains
        self._expected = f"Bearer {secret}".encode()

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one question."""
        status, answer = await self._answer(scope, receive)
        await respond(send, status, msgspec.json.encode(answer), headers=[_JSON])

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, dict[str, object]]:
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        if not hmac.compare_digest(given, self._expected):
            return 403, {"error": "this is for the XMPP server, which knows XMPP_SECRET"}
        try:
            question = _decoder.decode(await read_body(receive, limit_bytes=MAX_BODY_BYTES))
        except (InvalidRequest, BodyTooLarge, msgspec.MsgspecError):
            return 400, {"error": 'send {"user":"REALM.NAME","host":"D","password":"TOKEN","ip":"ADDRESS"}'}
        account = find_account(question.user)
        if account is None or question.host != self._domains.main:
            return 401, {"error": "accounts are REALM.NAME"}
        try:
            rights = await self._access.sign_in(account, question.password, address=question.ip)
        except (Unauthorized, Forbidden) as error:
            return 401, {"error": error.line}
        except (LimitReached, Unavailable) as error:
            return 503, {"error": error.line}
        return 200, {"expires": rights.grant.expires_at}
