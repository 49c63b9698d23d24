"""`fanout token make` and `token inspect`."""

import json
import sys
import time
from typing import Any

import click

from fanoutcloud_client.cli.output import command, say, to_json
from fanoutcloud_client.cli.settings import Settings
from fanoutcloud_client.errors import InvalidRequest
from fanoutcloud_client.tokens import CAPABILITIES, make_token, read_token

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def add_token(group: click.Group) -> None:
    """Add the commands."""

    @group.group()
    def token() -> None:
        """Make and inspect subscriber tokens."""

    @command(token, "make")
    @click.argument("channels", nargs=-1, required=True, metavar="CHANNEL[:CAPABILITY,…]...")
    @click.option("--user", help="Whose token it is.")
    @click.option("--lifetime", default="1h", show_default=True, help="How long it holds, such as 90s, 15m, 12h, 7d.")
    @click.option("--info", help="JSON that presence lists show of the connection.")
    @click.option("--id", "token_id", help="The token's id, by which it can be revoked alone.")
    def make(settings: Settings, **given: Any) -> None:
        """Make a token for channels, such as 'orders.*' or 'chat.7:subscribe,publish'.

        It is signed here with the realm's key. With an API token in place of a key, the server makes it.
        """
        wanted = {
            "channels": dict(_read_channel(text) for text in given["channels"]),
            "user": given["user"],
            "lifetime_s": _read_span(given["lifetime"]),
            "info": _read_json(given["info"]),
            "token_id": given["token_id"],
        }
        if settings.key:
            made = make_token(realm=settings.realm, key=settings.key, **wanted)
        else:
            made = _ask_for(settings, wanted)
        say(settings, {"token": made, "lifetime_s": wanted["lifetime_s"]}, made)

    @command(token, "inspect")
    @click.argument("text", required=False, metavar="[TOKEN]")
    def inspect(settings: Settings, text: str | None) -> None:
        """Print what a token says, and whether the realm's key has signed it. `-` reads standard input."""
        if text is None:
            text = settings.token
        _inspect(settings, sys.stdin.read() if text == "-" else text)


def _inspect(settings: Settings, text: str) -> None:
    contents = read_token(text)
    is_signed = contents.is_signed_by(settings.key) if settings.key else None
    expires_in_s = contents.expires_in_s
    members = {
        "header": contents.header,
        "claims": contents.claims,
        "expires_in_s": expires_in_s,
        "is_signed_by_key": is_signed,
    }
    lines = [
        f"header  {to_json(contents.header)}",
        f"claims  {json.dumps(contents.claims, ensure_ascii=False, indent=2)}",
    ]
    if expires_in_s is None:
        lines.append("exp     is missing: the server refuses such a token")
    else:
        ends = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() + expires_in_s))
        lines.append(f"ends    {ends}" + ("" if expires_in_s > 0 else ", which is over: make a new one"))
    told = {None: "not checked: no key is set", True: "by the realm's key", False: "NOT by the key that is set"}
    lines.append(f"signed  {told[is_signed]}")
    say(settings, members, "\n".join(lines))


def _ask_for(settings: Settings, wanted: dict[str, Any]) -> str:
    body = {name: value for name, value in wanted.items() if value is not None}
    with settings.open() as fanout:
        path = f"/realms/{fanout.service.need_realm()}/subscriber-tokens"
        return str(fanout.request("POST", path, body=body)["token"])


def _read_channel(text: str) -> tuple[str, list[str]]:
    name, colon, capabilities = text.rpartition(":")
    if not colon or not set(capabilities.split(",")) <= set(CAPABILITIES):
        return text, ["subscribe"]  # channel names may hold colons
    return name, capabilities.split(",")


def _read_span(text: str) -> int:
    number, unit = (text[:-1], text[-1:]) if text[-1:] in _UNITS else (text, "s")
    if not (number.isascii() and number.isdigit()):
        raise InvalidRequest(f"{text!r} is no span of time", cure="write such as 90s, 15m, 12h, 7d", field="lifetime")
    return int(number) * _UNITS[unit]


def _read_json(text: str | None) -> Any:  # Any: JSON
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        raise InvalidRequest("info is no JSON", cure='write such as \'{"name":"Alice"}\'', field="info") from None
