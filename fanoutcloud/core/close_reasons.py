"""Why a connection ended: one table from reason to WebSocket close code and HTTP status, and what the client does.

Close codes follow one rule: 3xxx do not come back; 40xx to 44xx come back at once, with jitter; 45xx to 49xx come
back with growing delays. Source: docs/api/subscribe.md.
"""

import enum


class CloseReason(enum.Enum):
    """Name, WebSocket close code, HTTP status, and one sentence for people."""

    INVALID_REQUEST = ("invalid_request", 3400, 400, "the request can't be understood")
    UNAUTHORIZED = ("unauthorized", 3401, 401, "a token is needed, or the one that came does not hold")
    FORBIDDEN = ("forbidden", 3403, 403, "the token does not allow this")
    TOKEN_REVOKED = ("token_revoked", 3401, 401, "the token was revoked; sign in again and get a new one")
    UNKNOWN_REALM = ("unknown_realm", 3404, 404, "there is no such realm")
    REALM_DELETED = ("realm_deleted", 3410, 410, "the realm was deleted")
    PROTOCOL_ERROR = (
        "protocol_error",
        3400,
        400,
        "the client broke the WebSocket protocol",
    )  # 1002, 1007 or 1009 is sent
    EXPELLED = ("expelled", 3490, 403, "the owner of the realm ended the connection")
    DISCONNECTED = ("disconnected", 4090, 503, "the owner of the realm ended the connection; reconnect")
    ENDED = ("ended", 1000, 200, "the publisher ended the connection")
    TOKEN_EXPIRED = ("token_expired", 4401, 401, "the token expired; come back with a new one")
    DRAINING = ("draining", 4012, 503, "this server is going down; reconnect and resume")
    SLOW = ("slow", 4508, 503, "the connection does not keep up; reconnect and resume")
    TOO_MANY_COMMANDS = ("too_many_commands", 4529, 429, "commands come faster than they are handled")
    OVER_LIMIT = (
        "over_limit",
        4529,
        429,
        "a limit was reached; the error message before says which, and when to retry",
    )
    UNAVAILABLE = ("unavailable", 4503, 503, "a part of the service does not answer")
    ANSWERED = ("answered", 1000, 200, "the poll was answered")
    CLIENT_LEFT = ("client_left", 1000, 200, "the client closed the connection")

    def __init__(self, reason: str, code: int, http_status: int, text: str) -> None:
        self.reason = reason
        self.code = code
        self.http_status = http_status
        self.text = text

    @property
    def may_reconnect(self) -> bool:
        """Tell whether a client should come back by itself."""
        return self.code >= 4000
