"""`fanout login`, `logout` and `whoami`."""

import socket
import time
import webbrowser
from typing import Any

import click
import httpx

from fanoutcloud_client.calls import Answer, Request, ask, ask_once, run_blocking, timeouts
from fanoutcloud_client.cli.output import command, note, say
from fanoutcloud_client.cli.settings import Settings, config_path, read_config, write_config
from fanoutcloud_client.clients import Fanout
from fanoutcloud_client.errors import FanoutError, InvalidRequest
from fanoutcloud_client.items import JsonObject
from fanoutcloud_client.reading import list_all
from fanoutcloud_client.service import Service


def add_login(group: click.Group) -> None:
    """Add the commands."""
    _add_login(group)
    _add_logout(group)
    _add_whoami(group)


def _add_login(group: click.Group) -> None:
    @command(group, "login")
    @click.argument("address", required=False, metavar="[URL]")
    @click.option("--scope", "scopes", multiple=True, help="What the token may do, such as items:publish; several.")
    @click.option("--label", help="The token's name on the dashboard.")
    @click.option("--no-browser", is_flag=True, help="Only print the page's address.")
    def login(settings: Settings, address: str | None, **given: Any) -> None:
        """Sign in to the server at URL by a code that you confirm on its dashboard.

        The API token is kept in a file that only you can read. Scripts set FANOUT_API_TOKEN or FANOUT_KEY instead.
        """
        service = Service(address or settings.need_url())
        with httpx.Client(timeout=timeouts()) as http:
            begun = _begin(service, http, given)
            _show(settings, begun, opens_browser=not given["no_browser"])
            told = _wait(service, http, begun)
        values = {"url": service.url, "api_token": told["access_token"]}
        realm = settings.realm or _only_realm(values)
        write_config(config_path(), values | ({"realm": realm} if realm else {}))
        members = {"email": told.get("email"), "url": service.url, "realm": realm or None, "scope": told.get("scope")}
        advice = (
            f"realm {realm}" if realm else "choose a realm with --realm or FANOUT_REALM; `fanout realms` lists yours"
        )
        say(settings, members, f"signed in to {service.url} as {told.get('email')}; {advice}")


def _add_logout(group: click.Group) -> None:
    @command(group, "logout")
    def logout(settings: Settings) -> None:
        """Revoke the token that `login` got, and forget it."""
        kept = read_config(config_path())
        if not kept.get("api_token"):
            raise InvalidRequest("nobody is signed in", cure="`fanout login` signs in")
        service = Service(kept.get("url") or settings.need_url())
        with httpx.Client(timeout=timeouts()) as http:
            request = _form(service, "revoke", {"token": kept["api_token"]})
            revoked = run_blocking(ask(request, patience_s=settings.patience_s), http).json().get("revoked") is True
        write_config(config_path(), {name: value for name, value in kept.items() if name not in ("api_token", "realm")})
        say(settings, {"revoked": revoked}, "signed out" + ("" if revoked else "; the token did not hold any more"))


def _add_whoami(group: click.Group) -> None:
    @command(group, "whoami")
    def whoami(settings: Settings) -> None:
        """Print whose credential is used, and what it may do."""
        with settings.open() as fanout:
            told = fanout.request("GET", "/me")
        of = f"{told['email']}, {told['credential']}" if told.get("email") else str(told["credential"])
        say(settings, told, f"{of} at {settings.url}\n{' '.join(told['scopes'])}")


def _begin(service: Service, http: httpx.Client, given: dict[str, Any]) -> JsonObject:
    label = given["label"] or f"fanout on {socket.gethostname()}"
    fields = {"label": label[:80], "scope": " ".join(given["scopes"])}
    return run_blocking(ask_once(_form(service, "code", fields)), http).json()


def _form(service: Service, what: str, fields: dict[str, str]) -> Request:
    body = str(httpx.QueryParams(fields)).encode()
    headers = [*service.headers(), ("Content-Type", "application/x-www-form-urlencoded")]
    return Request("POST", f"{service.url}/accounts/device/{what}/", headers, body)


def _show(settings: Settings, begun: JsonObject, *, opens_browser: bool) -> None:
    """Tell where to answer; on standard error, so that `--json` stays JSON."""
    click.echo(f"Open {begun['verification_uri']} and enter the code {begun['user_code']}", err=True)
    if opens_browser and not settings.as_json and webbrowser.open(begun["verification_uri_complete"]):
        note(settings, "the page was opened in your browser")


def _wait(service: Service, http: httpx.Client, begun: JsonObject) -> JsonObject:
    """Ask for the token until the answer is there.

    Raises:
        FanoutError: refused, or nobody answered in time.
    """
    interval_s = float(begun.get("interval", 5))
    give_up_at = time.monotonic() + float(begun.get("expires_in", 600))
    request = _form(service, "token", {"device_code": begun["device_code"]})
    while time.monotonic() < give_up_at:
        time.sleep(interval_s)
        try:
            answer: Answer = run_blocking(ask_once(request), http)
        except FanoutError as error:
            if error.code == "slow_down":
                interval_s += 1.0
            elif error.code != "authorization_pending" and not error.retryable:
                raise
        else:
            return answer.json()
    raise FanoutError("nobody confirmed the code in time", code="device_code_expired", cure="run `fanout login` again")


def _only_realm(values: dict[str, str]) -> str:
    """Return the one realm that the token opens; nothing where there are several, or none."""
    with Fanout(values["url"], api_token=values["api_token"]) as fanout:
        try:
            rows = run_blocking(list_all(fanout.service, "/realms"), fanout.http)
        except FanoutError:  # the token may not list realms
            return ""
    return str(rows[0]["id"]) if len(rows) == 1 else ""
