"""Forty-odd mistakes, staged as people make them, and what is to be said of each."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt
from websockets.sync.client import ClientConnection, connect

from tests.flows.why_origins import Answering, checks_with, fails, holds_for_alice, origin, untrusted
from tests.servers.command import free_port
from tests.servers.listening import PATIENCE_S
from tests.servers.product import ProductRealm

#: What the realm of a stage is set up with, beside the product: Python that has `realm` and `created`.
SET_UP: dict[str, str] = {
    "rate": "realm.limits = {'publish_items_per_s': 1, 'publish_items_burst': 1}",
    "size": "realm.limits = {'item_bytes': 100}",
    "connection limit": "realm.limits = {'connections': 1}",
    "channel limit": "realm.limits = {'channels': 1}",
    "private channel": "add_rule(realm=realm, pattern='news', settings=RuleSettings(access='token'))",
    "token without the channel": "add_rule(realm=realm, pattern='news', settings=RuleSettings(access='token'))",
    "history too short": "add_rule(realm=realm, pattern='news', settings=RuleSettings(history_items=1))",
    "message expired": "add_rule(realm=realm, pattern='news', settings=RuleSettings(history_age_s=1))",
    "revoked token": "revoke_user(realm=realm, user='42')",
    "key rotated away": "new = issue_api_key(realm=realm, issued_by=None); revoke_api_key(realm=realm, key_id=created)",
    "webhook target down": (
        "WebhookEndpoint.objects.create(realm=realm, url='https://hook.example/', patterns=['*'], "
        "events=['channel.message'], failures_in_row=4, last_problem='the target answered 503', "
        "last_failure_at=timezone.now())"
    ),
}


@dataclass
class Stage:
    """A realm, and what one does with it."""

    realm: ProductRealm
    foreign: ProductRealm
    http: httpx.Client
    stack: ExitStack = field(default_factory=ExitStack)
    streams: list[Iterator[str]] = field(default_factory=list)  # whose end would end the connection

    @property
    def publish_url(self) -> str:
        return f"{self.realm.api}/publish/"

    def publish(self, channel: str = "news", *, auth: Any = None, headers: Any = None, **item: Any) -> int:
        """Publish one item; return the status."""
        body = {"items": [{"channel": channel, **(item or {"json-object": {"text": "hi"}})}]}
        return self.send(json.dumps(body).encode(), auth=auth, headers=headers)

    def send(self, body: bytes, *, auth: Any = None, headers: Any = None) -> int:
        """Send a publish request as it is."""
        auth = None if headers and "authorization" in headers else auth or self.realm.auth
        return self.http.post(self.publish_url, content=body, auth=auth, headers=headers).status_code

    def server_token(self, **claims: Any) -> dict[str, str]:
        """The header of a publisher's token."""
        claims = {"iss": self.realm.realm, "exp": int(time.time()) + 600, **claims}
        return {"authorization": f"Bearer {self.sign(claims)}"}

    def sign(self, claims: dict[str, Any], *, algorithm: str = "HS256", kid: str = "") -> str:
        secret = base64.b64decode(self.realm.key) if algorithm == "HS256" else ""
        return jwt.encode(claims, secret, algorithm=algorithm, headers={"kid": kid} if kid else None)

    def user_token(self, user: str = "42", **claims: Any) -> str:
        now = int(time.time())
        return self.sign({"sub": user, "iat": now, "exp": now + 600, **claims})

    def subscribe(self, query: str = "?channel=news", path: str = "ws") -> ClientConnection:
        """Open a WebSocket that stays open until the stage ends; return once it is subscribed."""
        url = f"{self.realm.site.replace('http', 'ws', 1)}/fanout/{path}{query}"
        client = self.stack.enter_context(connect(url, open_timeout=PATIENCE_S, proxy=None))
        if "channel=" in query:
            self.receive(client, "subscribed")
        return client

    def come_back(self, position: str) -> ClientConnection:
        """Subscribe to `news` from a position on."""
        url = f"{self.realm.site.replace('http', 'ws', 1)}/fanout/ws?channel=news&since={position}"
        return self.stack.enter_context(connect(url, open_timeout=PATIENCE_S, proxy=None))

    def stream(self, query: str = "?channel=news", path: str = "sse") -> Iterator[str]:
        """Open an HTTP subscriber; return its lines, once it is subscribed."""
        url = f"{self.realm.site}/fanout/{path}{query}"
        answer = self.stack.enter_context(self.http.stream("GET", url))
        lines = answer.iter_lines()
        self.streams.append(lines)
        for line in lines:
            if "subscribed" in line:
                break
        return lines

    def try_to_subscribe(self, query: str) -> None:
        """Be refused."""
        url = f"{self.realm.site}/fanout/poll{query}&timeout=0"
        assert self.http.get(url).status_code >= 400

    @staticmethod
    def receive(client: ClientConnection, kind: str) -> dict[str, Any]:
        """Return the next message of this type."""
        while True:
            message: dict[str, Any] = json.loads(client.recv(timeout=PATIENCE_S))
            if message["type"] == kind:
                return message

    def set_origin(self, port: int, *, is_tls: bool = False) -> None:
        """Have requests passed on to this port."""
        kind = "ssl_" if is_tls else ""
        fields = {f"{kind}host": "127.0.0.1", f"{kind}port": str(port), "rewrite_host": "false", "over_http": "true"}
        answer = self.http.post(f"{self.realm.api}/http/default/", data=fields, auth=self.realm.auth)
        assert answer.status_code == 200, answer.text


#: What it returns is not looked at.
Play = Callable[[Stage], object]


@dataclass(frozen=True)
class Mistake:
    """`about` is asked; the first fault is to be `code`, and its cure to hold these words."""

    name: str
    play: Play
    code: str
    cure: str
    about: str = "news"
    kind: str = ""


def _wrong_realm(stage: Stage) -> None:
    stage.publish(auth=(stage.foreign.realm, stage.foreign.key))


def _expired(stage: Stage) -> None:
    stage.publish(headers=stage.server_token(exp=int(time.time()) - 720))


def _from_the_future(stage: Stage) -> None:
    stage.publish(headers=stage.server_token(nbf=int(time.time()) + 720))


def _sees_no_format(stage: Stage) -> None:
    stage.stream()
    stage.publish(**{"ws-message": {"content": "hi"}})


def _is_filtered(stage: Stage) -> None:
    stage.subscribe("?channel=news&filter=priority%20%3E%3D%203")
    stage.publish(**{"json-object": 1, "tags": {"priority": 1}})


def _comes_late(stage: Stage) -> None:
    stage.stream("?channel=news", path="stream")
    stage.publish(id="early", **{"json-object": 1})
    stage.subscribe()


def _comes_too_late_for_history(stage: Stage) -> None:
    first = stage.subscribe()
    stage.publish()
    position = stage.receive(first, "item")["position"]
    stage.publish()
    stage.publish()
    stage.publish()
    stage.receive(stage.come_back(position), "reset")


def _comes_back_after_it_expired(stage: Stage) -> None:
    first = stage.subscribe()
    stage.publish()
    position = stage.receive(first, "item")["position"]
    stage.publish()
    history = stage.realm.api.replace("/realm/", "/api/v1/realms/") + "/history"
    until = time.monotonic() + PATIENCE_S
    while stage.http.get(history, params={"channel": "news"}, auth=stage.realm.auth).json()["items"]:
        assert time.monotonic() < until
    stage.receive(stage.come_back(position), "reset")


def _is_skipped_as_the_sender(stage: Stage) -> None:
    stage.set_origin(stage.stack.enter_context(origin(holds_for_alice)))
    held = stage.stack.enter_context(stage.http.stream("GET", f"{stage.realm.site}/page"))
    assert held.status_code == 200
    stage.publish(**{"http-stream": {"content": "hi\n"}, "meta": {"sender": "alice"}})


def _slips_while_others_are_refused(stage: Stage) -> None:
    stage.subscribe("?channel=nwes")
    stage.publish("news")
    stage.publish(auth=(stage.realm.realm, "x" * 43 + "="))
    stage.send(b'{"items": [')


def _publishes_twice(stage: Stage) -> None:
    stage.subscribe()
    for _ in range(2):
        stage.publish(id="once", **{"json-object": 1})


def _misses_prev_id(stage: Stage) -> None:
    stage.subscribe()
    stage.publish(id="0", **{"json-object": 0})
    stage.publish(**{"id": "2", "prev-id": "1", "json-object": 2})


def _is_over_the_connection_limit(stage: Stage) -> None:
    stage.subscribe()
    stage.try_to_subscribe("?channel=news")


def _is_over_the_channel_limit(stage: Stage) -> None:
    stage.subscribe("?channel=other")
    stage.try_to_subscribe("?channel=news")


def _listens_elsewhere(name: str) -> Play:
    def play(stage: Stage) -> None:
        stage.subscribe(f"?channel={name}")
        stage.publish("news")

    return play


def _publishes_a_pattern(stage: Stage) -> None:
    stage.subscribe("?channel=news.sport")
    stage.publish("news.*")


def _sends_a_bad_batch(stage: Stage) -> None:
    body = {"items": [{"channel": "news", "json-object": 1}, {"channel": "news", "http-stream": {}}]}
    stage.send(json.dumps(body).encode())


def _sends_a_form(stage: Stage) -> None:
    stage.http.post(stage.publish_url, data={"channel": "news", "text": "hi"}, auth=stage.realm.auth)


def _with_token(query: Callable[[Stage], str]) -> Play:
    return lambda stage: stage.try_to_subscribe(f"?channel=news&token={query(stage)}")


def _passes_on_to(port: Callable[[], int], *, is_tls: bool = False) -> Play:
    def play(stage: Stage) -> None:
        stage.set_origin(port(), is_tls=is_tls)
        assert stage.http.get(f"{stage.realm.site}/page").status_code >= 500

    return play


def _passes_on_to_one_that(answering: Callable[[Stage], Answering], *, status: int, is_tls: bool = False) -> Play:
    def play(stage: Stage) -> None:
        serving = origin(answering(stage), tls=untrusted() if is_tls else None)
        stage.set_origin(stage.stack.enter_context(serving), is_tls=is_tls)
        assert stage.http.get(f"{stage.realm.site}/page").status_code == status

    return play


MISTAKES = [
    Mistake("wrong key", lambda s: s.publish(auth=(s.realm.realm, "x" * 43 + "=")), "wrong_key", "copy the key"),
    Mistake(
        "wrong key, asked by the message's id",
        lambda s: s.publish(id="order-7", auth=(s.realm.realm, "x" * 43 + "=")),
        "wrong_key",
        "copy the key",
        about="order-7",
    ),
    Mistake(
        "bad JSON, asked by the message's id",
        lambda s: s.send(b'{"items": [{"id": "order-8", }]}'),
        "invalid_request",
        "valid JSON",
        about="order-8",
    ),
    Mistake("wrong realm", _wrong_realm, "forbidden", "use the key of the realm"),
    Mistake("clock behind", _expired, "token_expired", "check the clock"),
    Mistake("clock ahead", _from_the_future, "token_not_yet_valid", "check the clock"),
    Mistake("no credential", lambda s: s.http.post(s.publish_url, content=b"{}"), "no_credential", "Basic"),
    Mistake("no Base64", lambda s: s.send(b"{}", headers={"authorization": "Basic %%%"}), "bad_credential", "curl -u"),
    Mistake(
        "subscriber token used to publish",
        lambda s: s.publish(headers={"authorization": f"Bearer {s.user_token()}"}),
        "subscriber_token",
        "iss and exp only",
    ),
    Mistake(
        "expired token", _with_token(lambda s: s.user_token(exp=int(time.time()) - 3600)), "token_expired", "new token"
    ),
    Mistake(
        "future token", _with_token(lambda s: s.user_token(nbf=int(time.time()) + 3600)), "token_not_yet_valid", "clock"
    ),
    Mistake(
        "unknown kid",
        _with_token(lambda s: s.sign({"sub": "42", "exp": int(time.time()) + 60}, kid="nobody's")),
        "unknown_key",
        "",
    ),
    Mistake(
        "alg none",
        _with_token(lambda s: s.sign({"sub": "42", "exp": int(time.time()) + 60}, algorithm="none")),
        "wrong_algorithm",
        "sign it",
    ),
    Mistake(
        "revoked token", _with_token(lambda s: s.user_token(iat=int(time.time()) - 3600)), "token_revoked", "new token"
    ),
    Mistake("private channel", lambda s: s.try_to_subscribe("?channel=news"), "no_token", "token=JWT"),
    Mistake(
        "token without the channel",
        _with_token(lambda s: s.user_token(channels={"other": ["subscribe"]})),
        "not_allowed",
        '"news"',
    ),
    Mistake("missing format", _sees_no_format, "no_format", "add json-object"),
    Mistake("filter excludes", _is_filtered, "filtered", "change the filter"),
    Mistake("size", lambda s: s.publish(**{"json-object": "x" * 200}), "item_too_large", "smaller"),
    Mistake("rate", lambda s: [s.publish() for _ in range(3)], "rate_limited", "try again"),
    Mistake("typo in the channel", _listens_elsewhere("nwes"), "channel_spelling", "same name"),
    Mistake("wrong case in the channel", _listens_elsewhere("News"), "channel_capitals", "same name"),
    Mistake("blanks in the channel", _listens_elsewhere("news%20"), "channel_blanks", "remove the blanks"),
    Mistake("wildcard mistake", _publishes_a_pattern, "channel_wildcard", "pattern=", about="news.*"),
    Mistake("nobody listens", lambda s: s.publish(), "nobody_subscribed", "subscriber's side"),
    Mistake("subscriber late", _comes_late, "subscribed_late", "subscribe first", about="early"),
    Mistake("history too short", _comes_too_late_for_history, "history_too_short", "keep more"),
    Mistake("message expired", _comes_back_after_it_expired, "history_too_short", "keep more or longer"),
    Mistake(
        "unknown message", lambda s: None, "unknown_message", "refused attempts", about="k3v9q1zt:7", kind="message"
    ),
    Mistake("skip-self", _is_skipped_as_the_sender, "filtered", "change the filter"),
    Mistake("typo while others are refused", _slips_while_others_are_refused, "channel_spelling", "same name"),
    Mistake("webhook target down", lambda s: s.publish(), "webhook_failing", "mend the target"),
    Mistake("origin that is down", _passes_on_to(free_port), "origin_connect_refused", ""),
    Mistake("origin that fails", _passes_on_to_one_that(lambda s: fails, status=500), "origin_error", "its own log"),
    Mistake(
        "TLS error at the origin",
        _passes_on_to_one_that(lambda s: fails, status=502, is_tls=True),
        "origin_tls",
        "certificate",
    ),
    Mistake(
        "origin that checks with another key",
        _passes_on_to_one_that(lambda s: checks_with(base64.b64decode(s.foreign.key)), status=403),
        "origin_turned_away",
        "live key of this realm",
    ),
    Mistake("bad JSON", lambda s: s.send(b'{"items": ['), "invalid_request", "valid JSON"),
    Mistake("wrong content type", _sends_a_form, "invalid_request", "application/json"),
    Mistake("batch with one bad item", _sends_a_bad_batch, "invalid_item", "add one of them"),
    Mistake("id deduplicated", _publishes_twice, "deduplicated", "id of its own"),
    Mistake("prev-id mismatch", _misses_prev_id, "waiting_for_prev", "in order"),
    Mistake("connection limit", _is_over_the_connection_limit, "too_many_connections", "try again"),
    Mistake("channel limit", _is_over_the_channel_limit, "too_many_channels", "try again"),
    Mistake(
        "GET instead of POST", lambda s: s.http.get(s.publish_url, auth=s.realm.auth), "method_not_allowed", "use POST"
    ),
    Mistake("wrong path", lambda s: s.http.post(f"{s.realm.api}/publsh/", auth=s.realm.auth), "not_found", "/publish/"),
    Mistake("key rotated away", lambda s: s.publish(), "key_revoked", "live key"),
    Mistake("unknown user", lambda s: s.publish(), "user_unknown", "'sub'", about="4711", kind="user"),
    Mistake(
        "unknown connection",
        lambda s: None,
        "connection_unknown",
        "inspector",
        about="0123456789abcdef",
        kind="connection",
    ),
]
