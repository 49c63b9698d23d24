"""Adding to what realms have used: by many at once, on PostgreSQL and on SQLite."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import User
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.usage import Usage
from realms.models import ConnectedCount, UsageDay
from realms.services import CreatedRealm, add_usage, say_connected
from realms.usage import read_row
from tests.factories import make_realm

DAY = date(2026, 11, 23)
ROOT = Path(__file__).resolve().parents[3]


def stored(realm: str) -> Usage:
    return read_row(UsageDay.objects.get(realm=realm, day=DAY))


def test_amounts_add_up_and_the_larger_maximum_stays(created: CreatedRealm):
    realm = RealmId(created.realm.pk)
    add_usage(DAY, {realm: Usage(5, 1, 2, 3, 4, 1)}, process="a")
    add_usage(DAY, {realm: Usage(3, 1, 2, 3, 4, 1)}, process="a")

    assert stored(realm) == Usage(5, 2, 4, 6, 8, 2)


def test_a_deleted_realm_is_passed_over(created: CreatedRealm):
    realm = RealmId(created.realm.pk)

    add_usage(DAY, {RealmId("ffffffff"): Usage(received=1), realm: Usage(received=2)}, process="a")
    say_connected({RealmId("ffffffff"): 1, realm: 2}, process="a")

    assert stored(realm).received == 2
    assert ConnectedCount.objects.count() == 1


def test_the_most_connected_counts_what_other_processes_have(created: CreatedRealm):
    realm = RealmId(created.realm.pk)
    say_connected({realm: 10}, process="b")
    say_connected({realm: 7}, process="b")
    say_connected({realm: 100}, process="killed")
    ConnectedCount.objects.filter(process="killed").update(said_at=timezone.now() - timedelta(seconds=26))
    say_connected({realm: 4}, process="a")
    add_usage(DAY, {realm: Usage(max_connected=5)}, process="a")
    assert stored(realm).max_connected == 12

    say_connected({}, process="b")
    add_usage(DAY, {realm: Usage(max_connected=6)}, process="a")
    assert stored(realm).max_connected == 12
    assert not ConnectedCount.objects.filter(process="b").exists()


@pytest.mark.django_db(transaction=True)
def test_processes_that_add_at_once_lose_nothing(alice: User):
    realms = [RealmId(make_realm(alice).realm.pk) for _ in range(3)]

    def add(number: int) -> None:
        order = realms if number % 2 else realms[::-1]
        try:
            for _ in range(5):
                add_usage(DAY, {realm: Usage(received=1, max_connected=number) for realm in order}, process=str(number))
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(add, range(6)))

    assert [(stored(realm).received, stored(realm).max_connected) for realm in realms] == [(30, 5)] * 3


ON_SQLITE = """
import django; django.setup()
from datetime import date
from django.core.management import call_command
call_command("migrate", verbosity=0)
from accounts.models import User
from fanoutcloud.core.usage import Usage
from realms.models import ConnectedCount, Realm, UsageDay
from realms.services import add_usage, say_connected
from realms.usage import read_row
user = User.objects.create(email="a@example.com")
Realm.objects.create(pk="0a1b2c3d", owner=user)
for most in (5, 3):
    say_connected({"0a1b2c3d": 2}, process="b")
    add_usage(date(2026, 11, 23), {"0a1b2c3d": Usage(most, 1, 2, 3, 4, 1), "ffff": Usage(1)}, process="a")
from django.db import connection
print(connection.vendor, read_row(UsageDay.objects.get()) == Usage(7, 2, 4, 6, 8, 2), ConnectedCount.objects.count())
"""


def test_sqlite_does_the_same(tmp_path: Path):
    env = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    env |= {"DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "fanoutcloud.settings"}

    run = subprocess.run(
        [sys.executable, "-c", ON_SQLITE], env=env, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )

    assert run.stdout.split() == ["sqlite", "True", "1"], run.stderr
