"""The client's stream (RFC 6120) at the embedded listener, without I/O: bytes in, events out, bytes to send.

The order is fixed: TLS where it is asked for, SASL, a resource, then stanzas. Whatever breaks it ends the stream with
the error that the RFC names.
"""

import base64
import binascii
import secrets
from dataclasses import dataclass

from fanoutcloud.core.jids import BadJid, Jid, parse_jid
from fanoutcloud.core.xml_elements import Element, quote_attribute, write_element
from fanoutcloud.core.xml_parsing import STREAMS, XmlFault, XmlLimits, XmlReader
from fanoutcloud.xmpp.addresses import Domains
from fanoutcloud.xmpp.stanzas import CLIENT, StanzaError, error_of, result_of

SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
TLS = "urn:ietf:params:xml:ns:xmpp-tls"
BIND = "urn:ietf:params:xml:ns:xmpp-bind"
SESSION = "urn:ietf:params:xml:ns:xmpp-session"
STREAM_ERRORS = "urn:ietf:params:xml:ns:xmpp-streams"
#: Before anybody has signed in; a token of the largest size passes.
BEFORE_SIGN_IN = XmlLimits(stanza_bytes=16_384, depth=8, elements=64)
MAX_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class StartTls:
    """Begin TLS now; what was to be sent is to be sent before."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """Check a user's password, then call `accept` or `refuse`."""

    user: str
    password: str


@dataclass(frozen=True, slots=True)
class SignInAsGuest:
    """Somebody wants to come without an account; call `accept` or `refuse`."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The client has its full address, and stanzas follow."""

    jid: Jid


@dataclass(frozen=True, slots=True)
class StanzaCame:
    """A stanza; `from` is set."""

    stanza: Element


@dataclass(frozen=True, slots=True)
class Closed:
    """The stream is over; close the connection once what is to be sent has left. `error` is empty at a good end."""

    error: str


Event = StartTls | SignIn | SignInAsGuest | Bound | StanzaCame | Closed


class ClientStream:
    """One connection's stream. `feed` returns events; `take_output` what is to be sent."""

    def __init__(self, domains: Domains, *, is_secure: bool, requires_tls: bool, limits: XmlLimits) -> None:
        self.jid: Jid | None = None
        self._domains = domains
        self._is_secure = is_secure
        self._requires_tls = requires_tls
        self._limits = limits
        self._output = bytearray()
        self._events: list[Event] = []
        self._attempts = 0
        self._user: Jid | None = None  # signed in, without a resource
        self._is_checking = False
        self._is_over = False
        self._host = domains.main
        self._has_begun = False
        self._restart()

    @property
    def is_ready(self) -> bool:
        return self.jid is not None

    def take_output(self) -> bytes:
        output, self._output = bytes(self._output), bytearray()
        return output

    def feed(self, data: bytes) -> list[Event]:
        """Return what has happened with `data`. After `Closed` nothing happens any more."""
        if self._is_over:
            return []
        try:
            stanzas = self._reader.feed(data)
        except XmlFault as fault:
            self._begin_stream()
            for stanza in self._reader.take():
                self._take(stanza)
            self.end(fault.condition, fault.text)
        else:
            self._begin_stream()
            for stanza in stanzas:
                self._take(stanza)
            if self._reader.is_ended:
                self._close("")
        events, self._events = self._events, []
        return events

    def _restart(self) -> None:
        self._reader = XmlReader(self._limits if self._user else BEFORE_SIGN_IN)
        self._has_begun = False

    def tls_begun(self) -> None:
        """Know that TLS is there: the stream begins again."""
        self._is_secure = True
        self._is_checking = False
        self._restart()

    def end(self, condition: str, text: str) -> None:
        """End the stream with an error."""
        if self._is_over:
            return
        if not self._has_begun:
            self._write_header()
        error = Element("error", STREAMS, None, Element(condition, STREAM_ERRORS))
        error.children.append(Element("text", STREAM_ERRORS, None, text))
        body = "".join(write_element(child, within=STREAMS) for child in error.elements)
        self._output += f"<stream:error>{body}</stream:error>".encode()
        self._close(condition)

    def _close(self, error: str) -> None:
        if not self._is_over:
            self._is_over = True
            self._output += b"</stream:stream>"
            self._events.append(Closed(error))

    def take_events(self) -> list[Event]:
        """Return what happened outside `feed`."""
        events, self._events = self._events, []
        return events

    # -- streams

    def _begin_stream(self) -> None:
        header = self._reader.header
        if header is None or self._has_begun or self._is_over:
            return
        if header.name != "stream" or header.namespace != STREAMS:
            self.end("invalid-namespace", "a stream begins with <stream:stream xmlns:stream='…/streams'>")
            return
        host = (header.get("to") or self._domains.main).casefold()
        if host not in (self._domains.main, self._domains.guest):
            self.end("host-unknown", f"this server is {self._domains.main}")
            return
        if not (header.get("version") or "").startswith("1."):
            self.end("unsupported-version", "XMPP 1.0 is spoken here")
            return
        self._host = host
        self._write_header()
        self._write_features()

    def _write_header(self) -> None:
        self._has_begun = True
        self._output += (
            f"<?xml version='1.0'?><stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAMS}' version='1.0' "
            f"xml:lang='en' from={quote_attribute(self._host)} id='{secrets.token_hex(8)}'>"
        ).encode()

    def _write_features(self) -> None:
        features: list[Element] = []
        if self._user is not None:
            session = Element("session", SESSION, None, Element("optional", SESSION))
            features = [Element("bind", BIND), session]
        else:
            if not self._is_secure:
                required = [Element("required", TLS)] if self._requires_tls else []
                features.append(Element("starttls", TLS, None, *required))
            names = self._mechanisms()
            if names:
                mechanisms = [Element("mechanism", SASL, None, name) for name in names]
                features.append(Element("mechanisms", SASL, None, *mechanisms))
        body = "".join(map(write_element, features))
        self._output += f"<stream:features>{body}</stream:features>".encode()

    def _mechanisms(self) -> list[str]:
        """PLAIN never without TLS: the password is a token. Guests have a host of their own.

        A client whose password does not hold would go on as a guest if it was offered that, too.
        """
        if self._host == self._domains.guest:
            return ["ANONYMOUS"] if self._is_secure or not self._requires_tls else []
        return ["PLAIN"] if self._is_secure else []

    # -- what comes

    def _take(self, stanza: Element) -> None:
        if self._is_over:
            return
        if self._is_checking:
            self.end("policy-violation", "wait for the answer")
        elif stanza.namespace == TLS:
            self._take_tls(stanza)
        elif stanza.namespace == SASL:
            self._take_sasl(stanza)
        elif self._user is None:
            self.end("not-authorized", "sign in first")
        elif stanza.namespace != CLIENT or stanza.name not in ("iq", "message", "presence"):
            self.end("unsupported-stanza-type", f"{stanza.name[:100]} of {stanza.namespace[:100]} is no stanza")
        elif self.jid is None:
            self._take_bind(stanza)
        else:
            self._take_stanza(stanza, self.jid)

    def _take_tls(self, stanza: Element) -> None:
        if stanza.name != "starttls" or self._is_secure or self._user is not None:
            self.end("policy-violation", "TLS can't begin now")
            return
        self._output += f"<proceed xmlns='{TLS}'/>".encode()
        self._is_checking = True  # what comes in the clear behind this would be taken for secret
        self._events.append(StartTls())

    def _take_sasl(self, stanza: Element) -> None:
        if self._user is not None or stanza.name not in ("auth", "response", "abort"):
            self.end("policy-violation", "nobody signs in now")
            return
        mechanism = stanza.get("mechanism")
        if stanza.name == "abort":
            self.refuse("aborted", "as you wish")
        elif stanza.name == "response" or mechanism not in self._mechanisms():
            needs_tls = mechanism == "PLAIN" and not self._is_secure
            condition = "encryption-required" if needs_tls else "invalid-mechanism"
            self.refuse(
                condition, "begin TLS first" if needs_tls else f"use {' or '.join(self._mechanisms()) or 'TLS'}"
            )
        elif mechanism == "ANONYMOUS":
            self._is_checking = True
            self._events.append(SignInAsGuest())
        else:
            self._take_plain(stanza.text)

    def _take_plain(self, text: str) -> None:
        try:
            authorize_as, user, password = base64.b64decode(text, validate=True).decode().split("\0")
        except (binascii.Error, ValueError):  # UnicodeDecodeError is one
            self.refuse("malformed-request", "PLAIN is Base64 of \\0USER\\0PASSWORD")
            return
        if authorize_as and authorize_as.partition("@")[0].casefold() != user.casefold():
            self.refuse("invalid-authzid", "nobody acts for others here")
            return
        self._is_checking = True
        self._events.append(SignIn(user, password))

    def accept(self, user: Jid) -> None:
        """Answer a sign-in: it is this account."""
        self._is_checking = False
        self._user = user
        self._output += f"<success xmlns='{SASL}'/>".encode()
        self._restart()

    def refuse(self, condition: str, text: str) -> None:
        """Answer a sign-in: it failed."""
        self._is_checking = False
        shown = Element("failure", SASL, None, Element(condition, SASL), Element("text", SASL, None, text))
        self._output += write_element(shown).encode()
        self._attempts += 1
        if self._attempts >= MAX_ATTEMPTS:
            self.end("policy-violation", "too many attempts to sign in")

    def _take_bind(self, stanza: Element) -> None:
        bind = stanza.find("bind", BIND)
        if stanza.name != "iq" or stanza.get("type") != "set" or bind is None or self._user is None:
            self.end("not-authorized", "bind a resource first")
            return
        wanted = bind.find("resource")
        resource = (wanted.text if wanted is not None else "").strip() or secrets.token_hex(8)
        try:
            self.jid = parse_jid(f"{self._user}/{resource}")
        except BadJid as error:
            self._send(error_of(stanza, StanzaError("bad-request", str(error))))
            return
        self._send(result_of(stanza, Element("bind", BIND, None, Element("jid", BIND, None, str(self.jid)))))
        self._events.append(Bound(self.jid))

    def _take_stanza(self, stanza: Element, jid: Jid) -> None:
        sender = stanza.get("from")
        if sender is not None:
            try:
                is_own = parse_jid(sender) in (jid, jid.bare)
            except BadJid:
                is_own = False
            if not is_own:
                self.end("invalid-from", f"stanzas of this stream come from {jid}")
                return
        stanza.attributes["from"] = str(jid)
        if stanza.name == "iq" and stanza.get("type") == "set" and stanza.find("session", SESSION) is not None:
            self._send(result_of(stanza))
            return
        self._events.append(StanzaCame(stanza))

    def _send(self, stanza: Element) -> None:
        self._output += write_element(stanza).encode()
