"""`fanout listen`: webhooks for a server on this machine, which nobody outside can reach."""

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import httpx

from fanoutcloud_client.calls import timeouts
from fanoutcloud_client.cli.output import command, note, paint, say
from fanoutcloud_client.cli.settings import Settings
from fanoutcloud_client.clients import Fanout
from fanoutcloud_client.items import JsonObject
from fanoutcloud_client.service import Service

ASK_EVERY_S = 1.0
#: Of the connection on which the webhook came, or made anew for the one to this machine.
_NOT_PASSED_ON = {"host", "content-length", "connection", "transfer-encoding", "accept-encoding", "keep-alive"}


def add_listen(group: click.Group) -> None:
    """Add the command."""

    @command(group, "listen")
    @click.argument("target", metavar="URL")
    @click.option("--pattern", "patterns", multiple=True, help="Channels, such as 'orders.*'; without, all.")
    @click.option("--event", "events", multiple=True, help="Kinds of events; without, channel.message.")
    @click.option("--count", type=click.IntRange(min=1), help="End after so many webhooks.")
    def listen(settings: Settings, target: str, **given: Any) -> None:
        """Relay the realm's webhooks to URL, such as http://localhost:3000/hooks, until interrupted.

        An inspector is opened for that in the realm and closed at the end; headers and body come as they were sent,
        with their signature. What the server at URL answers is shown here, and nothing is tried again.
        Needs an API token with the scopes webhooks:read and webhooks:write.
        """
        Service(target)  # refuses what is no address before anything is opened
        with settings.open() as fanout, inspector(fanout, given) as opened, httpx.Client(timeout=timeouts()) as http:
            note(settings, f"relaying webhooks of {settings.realm} to {target}; Ctrl-C ends it")
            left = given["count"]
            for came in follow(fanout, opened):
                say_relayed(settings, came, relay(came, target, http))
                left = None if left is None else left - 1
                if left == 0:
                    return


@contextmanager
def inspector(fanout: Fanout, given: dict[str, Any]) -> Iterator[JsonObject]:
    """Open an inspector, and close it whatever happens."""
    path = f"/realms/{fanout.service.need_realm()}/inspectors"
    body = {name: list(given[name]) for name in ("patterns", "events") if given[name]}
    opened = fanout.request("POST", path, body=body)
    try:
        yield opened
    finally:
        fanout.request("DELETE", f"{path}/{opened['id']}")


def follow(fanout: Fanout, opened: JsonObject) -> Iterator[JsonObject]:
    """Yield what comes to the inspector, in order, each once."""
    path = f"/realms/{fanout.service.need_realm()}/inspectors/{opened['id']}/requests"
    after = opened["newest"]
    while True:
        for came in fanout.request("GET", path, query={"after": after})["items"]:
            after = came["id"]
            yield came
        time.sleep(ASK_EVERY_S)


def relay(came: JsonObject, target: str, http: httpx.Client) -> JsonObject:
    """Send a webhook on as it came; return `status`, or `error`, and how long it took."""
    headers = [(name, value) for name, value in came["headers"] if name.lower() not in _NOT_PASSED_ON]
    began_at = time.monotonic()
    told: JsonObject = {"status": None, "error": None}
    try:
        told["status"] = http.request(
            came["method"], target, headers=headers, content=base64.b64decode(came["body"])
        ).status_code
    except httpx.HTTPError as error:
        told["error"] = str(error) or type(error).__name__
    return told | {"took_s": round(time.monotonic() - began_at, 3)}


def say_relayed(settings: Settings, came: JsonObject, told: JsonObject) -> None:
    """Print one line for a webhook that was relayed."""
    headers = {name.lower(): value for name, value in came["headers"]}
    named = headers.get("webhook-id", "")
    members = {"id": named, "at": came["at"], "verdict": came["verdict"], **told}
    if told["error"]:
        answer = paint(f"not taken: {told['error']}", "red")
    else:
        answer = paint(str(told["status"]), "green" if told["status"] < 300 else "red")
    say(settings, members, f"{came['at']}  {named}  {answer}  {told['took_s'] * 1000:.0f} ms")
