"""What a command prints: lines for people, JSON for programs; errors with cause and cure; exit codes."""

import functools
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

import click

from fanoutcloud_client.cli.settings import Settings, settings_options, take_settings
from fanoutcloud_client.errors import (
    FanoutError,
    Forbidden,
    InvalidRequest,
    LimitReached,
    NotFound,
    Unauthorized,
    Unavailable,
    Unreachable,
)

#: Documented in docs/howto/command-line.md; scripts rely on them.
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NOT_ALLOWED = 3
EXIT_NOT_FOUND = 4
EXIT_LIMIT = 5
EXIT_UNREACHABLE = 6
EXIT_TIMED_OUT = 7
EXIT_INTERRUPTED = 130

_EXIT_CODES: dict[type[FanoutError], int] = {
    InvalidRequest: EXIT_USAGE,
    Unauthorized: EXIT_NOT_ALLOWED,
    Forbidden: EXIT_NOT_ALLOWED,
    NotFound: EXIT_NOT_FOUND,
    LimitReached: EXIT_LIMIT,
    Unavailable: EXIT_UNREACHABLE,
    Unreachable: EXIT_UNREACHABLE,
}


def command(group: click.Group, name: str, **more: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """Register a command: it is called with `settings` first, and what it raises ends the program as documented."""

    def register(function: Callable[..., Any]) -> click.Command:
        @functools.wraps(function)
        def run(**options: Any) -> None:
            as_json = bool(options.get("as_json"))
            try:
                function(take_settings(options), **options)
            except FanoutError as error:
                fail(error, as_json=as_json)
            except BrokenPipeError:  # the reader of our output has seen enough
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                sys.exit(0)

        return group.command(name, **more)(settings_options(run))

    return register


def fail(error: FanoutError, *, as_json: bool) -> NoReturn:
    """Say what went wrong and how to cure it, on standard error, and end with its exit code."""
    if as_json:
        members = {"code": error.code, "message": error.message, "cure": error.cure, "field": error.field}
        click.echo(json.dumps({"error": members}, ensure_ascii=False), err=True)
    else:
        click.echo(f"{paint('error:', 'red', err=True)} {error.message}", err=True)
        if error.cure:
            click.echo(f"{paint('cure:', 'green', err=True)}  {error.cure}", err=True)
    sys.exit(_EXIT_CODES.get(type(error), EXIT_FAILED))


def paint(text: str, colour: str, *, err: bool = False) -> str:
    """Return the text in a colour, where a person looks at a terminal that has colours."""
    stream = sys.stderr if err else sys.stdout
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not stream.isatty():
        return text
    return click.style(text, fg=colour)


def say(settings: Settings, members: dict[str, Any], text: str) -> None:
    """Print one thing: `members` as a line of JSON, or `text`."""
    click.echo(to_json(members) if settings.as_json else text)


def note(settings: Settings, text: str) -> None:
    """Tell a person something beside the output; programs are told nothing."""
    if not settings.as_json:
        click.echo(paint(text, "bright_black", err=True), err=True)


def to_json(value: Any) -> str:  # Any: JSON
    """Return JSON on one line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def print_table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under titles, in columns."""
    lines = [list(titles), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(titles))]
    for number, line in enumerate(lines):
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        click.echo(paint(text, "bright_black") if number == 0 else text)
