"""`fanout history`, `presence` and `realms`."""

from typing import Any

import click

from fanoutcloud_client.calls import run_blocking
from fanoutcloud_client.cli.output import command, note, print_table, say
from fanoutcloud_client.cli.settings import Settings
from fanoutcloud_client.cli.subscribe import to_line, to_members
from fanoutcloud_client.reading import list_all


def add_reading(group: click.Group) -> None:
    """Add the commands."""
    _add_history(group)
    _add_presence(group)
    _add_realms(group)


def _add_history(group: click.Group) -> None:
    @command(group, "history")
    @click.argument("channel")
    @click.option("--limit", type=click.IntRange(1, 1000), help="At most so many items.")
    @click.option("--before", help="Items before this position, the newest first.")
    @click.option("--after", help="Items after this position, the oldest first.")
    def history(settings: Settings, **given: Any) -> None:
        """Print what CHANNEL keeps, the newest first."""
        with settings.open() as fanout:
            page = fanout.history(given.pop("channel"), **given)
        for item in page.items:
            say(
                settings, to_members(item), f"{item.published_at}  {item.position}  {to_line(item, with_channel=False)}"
            )
        if page.lost:
            note(settings, f"items before these are missing: {page.lost}")
        elif page.has_more and page.items:
            option = "--after" if given["after"] else "--before"
            note(settings, f"there is more: {option} {page.items[-1].position}")


def _add_presence(group: click.Group) -> None:
    @command(group, "presence")
    @click.argument("channel")
    def presence(settings: Settings, channel: str) -> None:
        """Print who is on CHANNEL, where its rule counts them."""
        with settings.open() as fanout:
            there = fanout.presence(channel)
        for member in there.members:
            info = "" if member.info is None else f"  {member.info}"
            say(settings, {"user": member.user, "info": member.info}, f"{member.user}{info}")
        note(settings, f"{there.count} users, {there.anonymous} connections without a user")


def _add_realms(group: click.Group) -> None:
    @command(group, "realms")
    def realms(settings: Settings) -> None:
        """List the realms that your credential opens."""
        with settings.open() as fanout:
            rows = run_blocking(list_all(fanout.service, "/realms"), fanout.http)
        if settings.as_json:
            for row in rows:
                say(settings, row, "")
        else:
            print_table(("ID", "LABEL", "ROLE", "SITE"), [[row[name] for name in _COLUMNS] for row in rows])


_COLUMNS = ("id", "label", "role", "site")
