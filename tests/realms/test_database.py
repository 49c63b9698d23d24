"""Asking whether the database answers."""

from collections.abc import Callable

import pytest
from django.db import DatabaseError, connection
from django.db.backends.utils import CursorWrapper

from realms import database
from realms.database import ask_database

Execute = Callable[..., object]


@pytest.mark.django_db(transaction=True)
async def test_a_database_that_answers_is_asked_one_thing(monkeypatch: pytest.MonkeyPatch):
    asked = []

    def note(execute: Execute, sql: str, *rest: object) -> object:
        answer = execute(sql, *rest)
        connection.execute_wrappers.remove(note)
        asked.append(sql)
        return answer

    class Watched:
        def cursor(self) -> CursorWrapper:
            connection.execute_wrappers.append(note)
            return connection.cursor()

    monkeypatch.setattr(database, "connection", Watched())

    await ask_database()

    assert asked == ["SELECT 1"]


@pytest.mark.django_db(transaction=True)
async def test_one_that_does_not_raises(monkeypatch: pytest.MonkeyPatch):
    class Gone:
        def cursor(self) -> None:
            raise DatabaseError("gone")

    monkeypatch.setattr(database, "connection", Gone())

    with pytest.raises(DatabaseError):
        await ask_database()
