"""`POST /xmpp/auth`: an XMPP server asks whether a password, which is a token, holds."""

import asyncio
import hmac

import msgspec

from fanoutcloud.core.errors import BodyTooLarge, Forbidden, InvalidRequest, LimitReached, Unauthorized, Unavailable
from fanoutcloud.core.jids import find_jid
from fanoutcloud.edge.connections.sinks import Receive, Scope, Send
from fanoutcloud.edge.site.bodies import read_body
from fanoutcloud.edge.site.responses import respond
from fanoutcloud.xmpp.access import Access
from fanoutcloud.xmpp.addresses import Domains, find_account
from fanoutcloud.xmpp.remembered_tokens import RememberedTokens

MAX_BODY_BYTES = 32_768
#: Whoever asks waits no longer, and would take the answer for none: see deploy/prosody and deploy/ejabberd.
ANSWER_S = 1.9
_JSON = (b"content-type", b"application/json")


class _Question(msgspec.Struct):
    user: str
    host: str
    password: str
    ip: str = ""
    is_remembered: bool = False


_decoder = msgspec.json.Decoder(_Question)


class SignInEndpoint:
    """Answers 200 where the password holds, 401 where not, 503 where that can't be told now.

    Whoever asks has to know the components' secret: the answer would help to guess. A server that does not put the
    token into each stanza asks for it to be remembered.
    """

    def __init__(self, access: Access, domains: Domains, secret: str, tokens: RememberedTokens) -> None:
        self._access = access
        self._domains = domains
        self._tokens = tokens
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
        jid = find_jid(f"{question.user}@{question.host}")
        if account is None or jid is None or question.host != self._domains.main:
            return 401, {"error": "accounts are REALM.NAME"}
        try:
            async with asyncio.timeout(ANSWER_S):
                rights = await self._access.sign_in(account, question.password, address=question.ip or question.user)
        except (Unauthorized, Forbidden) as error:
            return 401, {"error": error.line}
        except TimeoutError:
            return 503, {"error": "whether the token holds can't be told now; try again"}
        except (LimitReached, Unavailable) as error:
            return 503, {"error": error.line}
        if question.is_remembered:
            self._tokens.put(jid.bare, question.password)
        return 200, {"expires": rights.grant.expires_at}
