"""Many rows in one statement, on both databases."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import DataError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler

from publishing.models import WebhookAttempt, WebhookDelivery
from publishing.webhooks import bulk
from publishing.webhooks.bulk import columns_of, run_for_rows

NAMES = ("id", "kind", "headers", "body", "due_at", "finished_at", "last_status", "attempts")
COLUMNS = columns_of(WebhookDelivery, NAMES)
WHEN = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
ROW = (1, 'a "quoted" käse %s', [["x-own", "1"]], b"\x00\xff{}", WHEN, None, 204, 3)
INSERT = (
    f"INSERT INTO things ({', '.join(NAMES)}) SELECT {', '.join(NAMES)} FROM {{rows}} WHERE true ON CONFLICT DO NOTHING"
)


@pytest.fixture(params=["postgresql", "sqlite"])
def database(
    request: pytest.FixtureRequest, db: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[BaseDatabaseWrapper]:
    """A database with a table that has some columns of deliveries."""
    engine = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    handler = connections if request.param == "postgresql" else ConnectionHandler({"default": engine})
    connection = handler["default"]
    monkeypatch.setattr(bulk, "connection", connection)
    typed = ", ".join(f"{name} {field.db_type(connection)}" for name, field in COLUMNS.items())
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE things ({typed}, UNIQUE (id))")
    yield connection
    if request.param == "sqlite":
        connection.close()


def read(connection: BaseDatabaseWrapper) -> list[dict[str, Any]]:
    """Return the rows, values as the model would have them."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(NAMES)} FROM things ORDER BY id")
        for record in cursor.fetchall():
            value = dict(zip(NAMES, record, strict=True))
            for name, field in COLUMNS.items():
                for convert in [
                    *connection.ops.get_db_converters(field.get_col("things")),
                    *field.get_db_converters(connection),
                ]:
                    value[name] = convert(value[name], field.get_col("things"), connection)
            value["body"] = bytes(value["body"])
            found.append(value)
    return found


def test_values_of_every_kind_come_back_as_they_went(database: BaseDatabaseWrapper):
    run_for_rows(INSERT, COLUMNS, [ROW, (2, *ROW[1:])])

    assert read(database) == [dict(zip(NAMES, ROW, strict=True)), dict(zip(NAMES, (2, *ROW[1:]), strict=True))]


def test_what_is_there_stays_and_no_rows_ask_nothing(database: BaseDatabaseWrapper):
    run_for_rows(INSERT, COLUMNS, [ROW])
    run_for_rows(INSERT, COLUMNS, [(1, "other", *ROW[2:]), (2, *ROW[1:])])
    run_for_rows("no statement", COLUMNS, [])

    assert [(row["id"], row["kind"]) for row in read(database)] == [(1, ROW[1]), (2, ROW[1])]


def test_rows_are_changed_from_rows(database: BaseDatabaseWrapper):
    run_for_rows(INSERT, COLUMNS, [ROW, (2, *ROW[1:])])
    change = "UPDATE things SET last_status = r.last_status, attempts = attempts + 1 FROM {rows} WHERE things.id = r.id"

    run_for_rows(change, columns_of(WebhookDelivery, ("id", "last_status")), [(1, 500), (2, None)])

    assert [(row["last_status"], row["attempts"]) for row in read(database)] == [(500, 4), (None, 4)]


@pytest.mark.django_db
def test_what_the_database_does_not_take_is_told():
    with pytest.raises(DataError):
        run_for_rows("SELECT cause FROM {rows}", columns_of(WebhookAttempt, ("cause",)), [("with a \x00 in it",)])
