"""Log lines: readable, and without secrets."""

import json
import logging

import pytest

from fanoutcloud.ops.logging import JsonFormatter, PlainFormatter, hide_secrets


def record(event: str, **fields: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "edge", "levelno": logging.INFO, "levelname": "INFO", "msg": event})
    vars(made).update(fields)
    return made


def test_a_plain_line_shows_the_event_and_its_fields():
    line = PlainFormatter().format(record("subscriber_closed", realm="0a1b2c3d", reason="slow"))

    assert line.endswith("INFO edge: subscriber_closed realm=0a1b2c3d reason=slow")


def test_a_json_line_keeps_numbers_and_names():
    entry = json.loads(JsonFormatter().format(record("fan_out", realm="0a1b2c3d", sent=3)))

    assert {
        "event": "fan_out",
        "realm": "0a1b2c3d",
        "sent": 3,
        "level": "info",
        "logger": "edge",
    }.items() <= entry.items()


def test_a_traceback_stays_in_the_one_json_line():
    try:
        raise ValueError("oops")
    except ValueError as error:
        failed = record("failed", exc_info=(type(error), error, error.__traceback__))

    assert "\n" not in JsonFormatter().format(failed)
    assert "oops" in JsonFormatter().format(failed)
    assert "oops" in PlainFormatter().format(failed)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Not Found: /accounts/password/reset/key/1-abc-def/", "Not Found: /accounts/password/reset/key/[hidden]/"),
        ("http://x/realm/r?iss=r&key=base64:AB%2Bc%3D", "http://x/realm/r?iss=r&key=base64:[hidden]"),
        ("Authorization: Bearer eyJ.abc.def", "Authorization: Bearer [hidden]"),
        ("redis://user:pass@host:6379/0", "redis://user:[hidden]@host:6379/0"),
        ("ready: http://localhost:8000", "ready: http://localhost:8000"),
    ],
)
def test_secrets_of_known_shapes_are_blotted_out(text: str, shown: str):
    assert hide_secrets(text) == shown
    assert shown in PlainFormatter().format(record(text))
    assert shown in JsonFormatter().format(record(text)).replace("\\/", "/")
