"""Asking whether the database answers."""

import pytest
from django.db import DatabaseError

from realms import database
from realms.database import ask_database


@pytest.mark.django_db(transaction=True)
async def test_a_database_that_answers_is_well():
    await ask_database()


@pytest.mark.django_db(transaction=True)
async def test_one_that_does_not_raises(monkeypatch: pytest.MonkeyPatch):
    class Gone:
        def cursor(self) -> None:
            raise DatabaseError("gone")

    monkeypatch.setattr(database, "connection", Gone())

    with pytest.raises(DatabaseError):
        await ask_database()
