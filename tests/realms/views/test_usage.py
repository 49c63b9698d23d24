"""The page of usage: figures, chart, table; readable without a script, nobody else's."""

from datetime import UTC, date, datetime, time

from django.test import Client

from accounts.models import User
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.usage import Usage
from realms.models import Member
from realms.services import CreatedRealm, add_usage
from realms.usage import read_usage
from realms.views.usage import FIGURES, make_bars

DAY = date(2026, 11, 20)


def made_on(created: CreatedRealm, day: date) -> None:
    created.realm.created_at = datetime.combine(day, time(12), UTC)
    created.realm.save(update_fields=["created_at"])


def test_the_page_has_totals_a_chart_and_a_table(alice_client: Client, created: CreatedRealm):
    add_usage(DAY, {RealmId(created.realm.pk): Usage(2, 3, 4, 1, 1_234_002, 0)}, process="a")
    made_on(created, DAY.replace(day=19))

    page = alice_client.get(f"/realms/{created.realm.pk}/usage/?from=2026-11-19&to=2026-11-21").content.decode()

    assert "1,234,007" in page  # total ops
    assert page.count("<rect") == 3
    assert page.count('<th scope="row">') == 3
    assert "20 November 2026: 1,234,007" in page


def test_the_table_begins_with_the_day_on_which_the_realm_was_made(alice_client: Client, created: CreatedRealm):
    made_on(created, DAY)

    page = alice_client.get(f"/realms/{created.realm.pk}/usage/?from=2026-11-19&to=2026-11-21").content.decode()
    before = alice_client.get(f"/realms/{created.realm.pk}/usage/?from=2026-11-01&to=2026-11-03").content.decode()

    assert page.count('<th scope="row">') == 2
    assert "The realm was made on 20 November 2026, after these days." in before


def test_an_unused_realm_says_how_to_use_it(alice_client: Client, created: CreatedRealm):
    page = alice_client.get(f"/realms/{created.realm.pk}/usage/").content.decode()

    assert "nothing yet" in page
    assert page.count('<th scope="row">') == 1


def test_a_wrong_range_is_told_beside_the_field(alice_client: Client, created: CreatedRealm):
    for query in ("from=2026-11-21&to=2026-11-19", "from=x", "from=2020-01-01&to=2026-01-01"):
        answer = alice_client.get(f"/realms/{created.realm.pk}/usage/?{query}")
        assert answer.status_code == 422
        assert b"field-error" in answer.content


def test_members_see_it_and_others_do_not(client: Client, charlie_client: Client, bob: User, created: CreatedRealm):
    page = f"/realms/{created.realm.pk}/usage/"
    Member.objects.create(realm=created.realm, user=bob, role="viewer")
    client.force_login(bob)

    assert client.get(page).status_code == 200
    assert charlie_client.get(page).status_code == 404


def test_what_is_not_nothing_can_be_seen(created: CreatedRealm):
    realm = RealmId(created.realm.pk)
    add_usage(DAY, {realm: Usage(received=1_000_000)}, process="a")
    add_usage(DAY.replace(day=21), {realm: Usage(received=1)}, process="a")

    bars = make_bars(read_usage([created.realm], DAY, DAY.replace(day=22)), FIGURES[4])

    assert [bar.height for bar in bars] == [160.0, 2.0, 0.0]
