"""Where the command line takes its settings from: options, then the environment, then the file that `login` writes."""

import contextlib
import json
import os
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click

from fanoutcloud_client.clients import AsyncFanout, Fanout
from fanoutcloud_client.errors import InvalidRequest
from fanoutcloud_client.json_text import decode_object

F = TypeVar("F", bound=Callable[..., Any])

#: How long a person at a terminal waits for a server that does not answer.
DEFAULT_PATIENCE_S = 10.0
#: What the file may hold.
KEPT = ("url", "realm", "key", "api_token", "token")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a command works with."""

    url: str = ""
    realm: str = ""
    key: str = field(default="", repr=False)
    api_token: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    site: str = ""
    as_json: bool = False
    patience_s: float = DEFAULT_PATIENCE_S

    def need_url(self) -> str:
        """Return the server's address.

        Raises:
            InvalidRequest: none is known.
        """
        if not self.url:
            raise InvalidRequest(
                "no server is named", cure="run `fanout login URL`, or set FANOUT_URL, or give --url", field="url"
            )
        return self.url

    def open(self) -> Fanout:
        """Return the blocking client; to be closed."""
        return Fanout(self.need_url(), self.realm, **self._options())

    def open_async(self) -> AsyncFanout:
        """Return the asyncio client; to be closed."""
        return AsyncFanout(self.need_url(), self.realm, **self._options())

    def _options(self) -> dict[str, Any]:  # Any: text, and a number of seconds
        return {
            "key": self.key,
            "api_token": self.api_token,
            "token": self.token or None,
            "site_url": self.site,
            "patience_s": self.patience_s,
        }


def config_path() -> Path:
    """Return where the file is: $FANOUT_CONFIG, or fanout/config.json in the user's folder for such files."""
    named = os.environ.get("FANOUT_CONFIG")
    folder = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(named) if named else Path(folder) / "fanout" / "config.json"


def read_config(path: Path) -> dict[str, str]:
    """Return what the file holds; nothing, where there is none.

    Raises:
        InvalidRequest: others may read it, or it is not ours.
    """
    try:
        mode, text = path.stat().st_mode, path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{path} can't be read: {error}", cure="mend it, or set FANOUT_CONFIG") from error
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InvalidRequest(f"{path} holds secrets and others may read it", cure=f"chmod 600 {path}")
    told = decode_object(text)
    if told is None:
        raise InvalidRequest(f"{path} is no JSON object", cure="mend or remove it, then `fanout login`")
    return {name: str(told[name]) for name in KEPT if told.get(name)}


def write_config(path: Path, values: dict[str, str]) -> None:
    """Write the file, for its owner alone (mode 0600), whole or not at all.

    Raises:
        InvalidRequest: it can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=path.parent)  # made with mode 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(values, file, indent=2)
                file.write("\n")
            os.replace(name, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
    except OSError as error:
        raise InvalidRequest(f"{path} can't be written: {error}", cure="set FANOUT_CONFIG to another place") from error


def settings_options(command: F) -> F:
    """Add the options that all commands share. The command gets `settings` of type Settings."""
    options = [
        click.option("--url", help="Address of the server, such as https://push.example.com. [env: FANOUT_URL]"),
        click.option("--realm", help="The realm's id. [env: FANOUT_REALM]"),
        click.option("--key", help="A key of the realm; better by its variable. [env: FANOUT_KEY]"),
        click.option("--api-token", help="An API token, fan_…; better by its variable. [env: FANOUT_API_TOKEN]"),
        click.option("--token", help="A subscriber token. [env: FANOUT_TOKEN]"),
        click.option("--site", help="The realm's own address, if not URL/r/REALM. [env: FANOUT_SITE]"),
        click.option(
            "--patience",
            "patience_s",
            type=click.FloatRange(0, 50),
            envvar="FANOUT_PATIENCE",
            default=DEFAULT_PATIENCE_S,
            help="Seconds for which a request that failed is tried again. [env: FANOUT_PATIENCE]",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print JSON, a line for each thing."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def take_settings(options: dict[str, Any]) -> Settings:
    """Take the shared options out of a command's, and fill them up from the environment and the file.

    Raises:
        InvalidRequest: the file can't be used.
    """
    given = {name: options.pop(name) for name in ("url", "realm", "key", "api_token", "token", "site")}
    as_json, patience_s = bool(options.pop("as_json")), float(options.pop("patience_s"))
    kept = read_config(config_path())
    values: dict[str, str] = {}
    for name, value in given.items():
        values[name] = value or os.environ.get(f"FANOUT_{name.upper()}") or kept.get(name, "")
    if given["key"] or (os.environ.get("FANOUT_KEY") and not given["api_token"]):
        values["api_token"] = given["api_token"] or ""  # a key that is named beats a token that was kept
    elif given["api_token"] or os.environ.get("FANOUT_API_TOKEN"):
        values["key"] = ""
    return Settings(**values, as_json=as_json, patience_s=patience_s)
