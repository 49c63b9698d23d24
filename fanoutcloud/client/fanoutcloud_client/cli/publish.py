"""`fanout publish`."""

import json
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import click

from fanoutcloud_client.cli.output import command, note, say
from fanoutcloud_client.cli.settings import Settings
from fanoutcloud_client.clients import Fanout
from fanoutcloud_client.errors import InvalidRequest
from fanoutcloud_client.items import NOTHING, Item, JsonObject, http_stream, ws_message
from fanoutcloud_client.publishing import Published

#: Lines of standard input that go in one request, at most; whatever is there is sent, and nothing waits for more.
LINES_PER_REQUEST = 500


def add_publish(group: click.Group) -> None:
    """Add the command."""

    @command(group, "publish")
    @click.argument("channel")
    @click.argument("data", required=False)
    @click.option("--text", "is_text", is_flag=True, help="DATA is text, whatever it looks like.")
    @click.option("--id", "item_id", help="Your name for the item: sent twice within 60 s, it is delivered once.")
    @click.option("--prev-id", help="The id of the item before.")
    @click.option("--tag", "tags", multiple=True, metavar="NAME=VALUE", help="A tag, by which subscribers filter.")
    @click.option("--http-stream", "stream", help="What HTTP streams get in place of JSON.")
    @click.option("--ws-message", "ws", help="What WebSockets get in place of JSON.")
    @click.option("--lines", is_flag=True, help="Publish each line of standard input as an item.")
    def publish(settings: Settings, **given: Any) -> None:
        """Publish DATA to CHANNEL.

        DATA is published as the JSON that it is, else as text; `-` stands for standard input.
        """
        with settings.open() as fanout:
            if given["lines"]:
                _publish_lines(settings, fanout, given)
                return
            _tell(settings, fanout.publish_items([_item_of(given, _data_of(given["data"], is_text=given["is_text"]))]))


def _publish_lines(settings: Settings, fanout: Fanout, given: dict[str, Any]) -> None:
    if given["data"] is not None or given["item_id"] or given["prev_id"]:
        raise InvalidRequest("--lines takes neither DATA nor ids", cure="leave them out")
    lines = (line.rstrip("\r\n") for line in sys.stdin)
    items = (_item_of(given, _parse(line, is_text=given["is_text"])) for line in lines if line)
    count = 0
    while some := list(islice(items, 1 if sys.stdin.isatty() else LINES_PER_REQUEST)):
        _tell(settings, fanout.publish_items(some), quietly=True)
        count += len(some)
    note(settings, f"published {count} items to {given['channel']}")


def _item_of(given: dict[str, Any], data: Any) -> Item:  # Any: JSON
    formats: dict[str, JsonObject] = {}
    if given["stream"] is not None:
        formats |= http_stream(given["stream"])
    if given["ws"] is not None:
        formats |= ws_message(given["ws"])
    return Item(
        given["channel"],
        data,
        id=given["item_id"],
        prev_id=given["prev_id"],
        formats=formats or None,
        tags=_tags_of(given["tags"]) or None,
    )


def _data_of(text: str | None, *, is_text: bool) -> Any:  # Any: JSON
    if text is None:
        return NOTHING
    return _parse(sys.stdin.read() if text == "-" else text, is_text=is_text)


def _parse(text: str, *, is_text: bool) -> Any:  # Any: JSON
    if is_text:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _tags_of(pairs: Sequence[str]) -> dict[str, str | float | bool]:
    return dict(_read_tags(pairs))


def _read_tags(pairs: Sequence[str]) -> Iterator[tuple[str, str | float | bool]]:
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise InvalidRequest(f"{pair!r} is no tag", cure="write --tag NAME=VALUE", field="tag")
        parsed = _parse(value, is_text=False)
        yield name, parsed if isinstance(parsed, str | int | float) else value


def _tell(settings: Settings, published: list[Published], *, quietly: bool = False) -> None:
    for one in published:
        members = {"channel": one.channel, "id": one.id, "outcome": one.outcome, "position": one.position}
        if settings.as_json:
            say(settings, members, "")
        elif not quietly:
            at = f" at {one.position}" if one.position else ""
            say(settings, members, f"published to {one.channel}{at} (id {one.id})")
