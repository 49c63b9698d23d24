"""Letting a program in by a code, in the OpenAPI document: what `fanout login` asks.

Answered outside of DRF, by `realms.views.device_logins`, since no credential is there yet.
"""

from typing import Any

from publishing.api.compatible_paths import FAILURE
from realms.scopes import Scope

_TEXT: dict[str, Any] = {"type": "string"}
_NUMBER: dict[str, Any] = {"type": "integer"}
_SCOPES = " ".join(scope.value for scope in Scope)


def _operation(
    name: str, does: str, about: str, fields: dict[str, Any], answer: dict[str, Any], required: list[str]
) -> dict[str, Any]:
    body = {"type": "object", "properties": fields, "required": required}
    told = {"type": "object", "properties": answer, "required": list(answer)}
    failure = {"description": "Why not, and the cure.", "content": {"application/json": {"schema": FAILURE}}}
    return {
        "operationId": name,
        "summary": does,
        "description": about,
        "tags": ["device login"],
        "security": [{}],
        "requestBody": {
            "required": bool(required),
            "content": {"application/x-www-form-urlencoded": {"schema": body}},
        },
        "responses": {
            "200": {"description": "Done.", "content": {"application/json": {"schema": told}}},
            "default": failure,
        },
    }


_BEGIN = _operation(
    "beginDeviceLogin",
    "Ask to be let in",
    "Show `user_code` and `verification_uri` to the person, then ask `claimDeviceLogin` each `interval` seconds.",
    {
        "label": _TEXT | {"description": "What the person is shown: the program and its machine."},
        "scope": _TEXT | {"description": f"Some of these, with blanks between: {_SCOPES}."},
    },
    {
        "device_code": _TEXT | {"description": "The program's secret."},
        "user_code": _TEXT,
        "verification_uri": _TEXT | {"format": "uri"},
        "verification_uri_complete": _TEXT | {"format": "uri"},
        "expires_in": _NUMBER | {"description": "Seconds."},
        "interval": _NUMBER | {"description": "Seconds."},
    },
    [],
)
_CLAIM = _operation(
    "claimDeviceLogin",
    "Get the token, once the person has said yes",
    "Refused with `authorization_pending` until then, with `slow_down` where it is asked too often.",
    {"device_code": _TEXT},
    {
        "access_token": _TEXT | {"description": "A personal API token, `fan_…`; told this once."},
        "token_type": _TEXT | {"const": "Bearer"},
        "expires_in": _NUMBER | {"description": "Seconds."},
        "scope": _TEXT,
        "email": _TEXT | {"description": "Whose token it is."},
    },
    ["device_code"],
)
_REVOKE = _operation(
    "revokeDeviceToken",
    "End a personal API token",
    "Whoever has the token may end it.",
    {"token": _TEXT},
    {"revoked": {"type": "boolean", "description": "Whether there was such a token."}},
    ["token"],
)


def device_login_paths() -> dict[str, Any]:
    """Return the paths by which a program gets, and gives back, a personal API token."""
    begin, claim, revoke = (f"/accounts/device/{what}/" for what in ("code", "token", "revoke"))
    return {begin: {"post": _BEGIN}, claim: {"post": _CLAIM}, revoke: {"post": _REVOKE}}
