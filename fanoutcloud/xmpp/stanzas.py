"""Stanzas: what comes in, taken apart as far as every one is; answers and errors that go out. Pure."""

from typing import Literal

from fanoutcloud.core.errors import FanoutError, InvalidRequest, RateLimited
from fanoutcloud.core.xml_elements import XML_NAMESPACE, Element

CLIENT = "jabber:client"
STANZA_ERRORS = "urn:ietf:params:xml:ns:xmpp-stanzas"
PUBSUB_ERRORS = "http://jabber.org/protocol/pubsub#errors"

ErrorType = Literal["cancel", "modify", "auth", "wait"]
#: RFC 6120 §8.3.3: what each condition asks of the sender.
_TYPES: dict[str, ErrorType] = {
    "bad-request": "modify",
    "conflict": "cancel",
    "feature-not-implemented": "cancel",
    "forbidden": "auth",
    "internal-server-error": "wait",
    "item-not-found": "cancel",
    "jid-malformed": "modify",
    "not-acceptable": "modify",
    "not-allowed": "cancel",
    "not-authorized": "auth",
    "policy-violation": "wait",
    "resource-constraint": "wait",
    "service-unavailable": "cancel",
    "unexpected-request": "cancel",
}
#: HTTP status of an error that other transports know → condition here.
_CONDITIONS = {
    400: "bad-request",
    401: "not-authorized",
    403: "forbidden",
    404: "item-not-found",
    405: "feature-not-implemented",
    406: "not-acceptable",
    409: "conflict",
    413: "not-acceptable",
    429: "resource-constraint",
    503: "service-unavailable",
}


class StanzaError(Exception):
    """A stanza can't be done. `text` names cause and cure; `detail` is the condition of the application, if any."""

    def __init__(
        self, condition: str, text: str, *, detail: Element | None = None, type_: ErrorType | None = None
    ) -> None:
        super().__init__(condition, text)
        self.condition = condition
        self.text = text
        self.detail = detail
        self.type: ErrorType = type_ or _TYPES[condition]


def pubsub_error(condition: str, detail: str, text: str, *, feature: str | None = None) -> StanzaError:
    """Return an error with a condition of XEP-0060."""
    attributes = {} if feature is None else {"feature": feature}
    return StanzaError(condition, text, detail=Element(detail, PUBSUB_ERRORS, attributes))


def to_stanza_error(error: FanoutError) -> StanzaError:
    """Return an error of the other transports in XMPP's words."""
    condition = _CONDITIONS.get(error.http_status, "internal-server-error")
    type_: ErrorType | None = "wait" if error.http_status == 503 else None
    detail = None
    if error.http_status == 413:
        detail = Element("payload-too-big", PUBSUB_ERRORS)
    elif isinstance(error, InvalidRequest) and error.field == "json":
        detail = Element("invalid-payload", PUBSUB_ERRORS)
    text = error.line
    if isinstance(error, RateLimited) and f"{error.retry_after_s} s" not in text:
        text = f"{text}; try again in {error.retry_after_s} s"
    return StanzaError(condition, text, detail=detail, type_=type_)


def result_of(request: Element, *payload: Element) -> Element:
    """Return the answer to an IQ."""
    return Element("iq", CLIENT, _answer_attributes(request, "result"), *payload)


def error_of(request: Element, error: StanzaError) -> Element:
    """Return the error for any stanza."""
    condition = Element(error.condition, STANZA_ERRORS)
    text = Element("text", STANZA_ERRORS, {f"{XML_NAMESPACE} lang": "en"}, error.text)
    shown = Element("error", CLIENT, {"type": error.type}, condition, text)
    if error.detail is not None:
        shown.children.append(error.detail)
    return Element(request.name, CLIENT, _answer_attributes(request, "error"), shown)


def _answer_attributes(request: Element, type_: str) -> dict[str, str]:
    attributes = {"type": type_}
    for name, of in (("id", "id"), ("from", "to"), ("to", "from")):
        value = request.get(of)
        if value is not None:
            attributes[name] = value
    return attributes


def find_error_condition(stanza: Element) -> str:
    """Return the condition of an error that came; empty without one."""
    error = stanza.find("error")
    if error is None:
        return ""
    return next((one.name for one in error.elements if one.namespace == STANZA_ERRORS and one.name != "text"), "")
