"""`fanout why`: what happened to a message, a channel, a user or a connection, and what to do."""

import sys
from typing import Any

import click

from fanoutcloud_client.calls import run_blocking
from fanoutcloud_client.cli.output import EXIT_FAILED, command, note, paint, say
from fanoutcloud_client.cli.settings import Settings
from fanoutcloud_client.reading import ask_why

KINDS = ("message", "channel", "user", "connection")
_COLOURS = {"fault": "red", "notice": "yellow", "fine": "green"}


def add_why(group: click.Group) -> None:
    """Add the command."""

    @command(group, "why")
    @click.argument("about")
    @click.option("--kind", type=click.Choice(KINDS), help="What ABOUT is; else what exists is found.")
    def why(settings: Settings, about: str, kind: str | None) -> None:
        """Say why something did not arrive, or did.

        ABOUT is the id or position of a message, a channel, a user, or the id of a connection. Each finding comes with
        its cause and its cure, the likeliest first. Exits with 1 if there is a fault.
        """
        with settings.open() as fanout:
            told = run_blocking(ask_why(fanout.service, about, kind=kind), fanout.http)
        findings: list[dict[str, Any]] = told.get("findings", [])
        if settings.as_json:
            say(settings, told, "")
        else:
            _show(settings, told, findings)
        sys.exit(EXIT_FAILED if any(finding.get("severity") == "fault" for finding in findings) else 0)


def _show(settings: Settings, told: dict[str, Any], findings: list[dict[str, Any]]) -> None:
    say(settings, {}, str(told.get("summary", "")))
    for finding in findings:
        severity = str(finding.get("severity", ""))
        times = f" ({finding['count']} times)" if finding.get("count", 1) > 1 else ""
        where = f"  [{finding['where']}]" if finding.get("where") else ""
        say(
            settings, {}, f"\n{paint(f'{severity:<6}', _COLOURS.get(severity, 'white'))}  {finding.get('title')}{times}"
        )
        say(settings, {}, f"        {finding.get('cause')}{where}")
        if finding.get("cure"):
            say(settings, {}, f"        cure: {finding['cure']}")
    note(settings, f"records are complete since {told.get('exact_since')}")
    if told.get("missing"):
        note(settings, f"{len(told['missing'])} processes did not answer in time: ask again")
