"""Reading what realms have used: every day of a range, one realm or several."""

from datetime import UTC, date, datetime, timedelta

import pytest

from accounts.models import User
from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.usage import Usage
from realms.selectors import list_realms
from realms.services import CreatedRealm, add_usage
from realms.usage import choose_range, read_usage
from tests.factories import make_realm

DAY = date(2026, 11, 20)


def test_every_day_is_there_and_the_total_has_the_largest_maximum(created: CreatedRealm):
    realm = RealmId(created.realm.pk)
    add_usage(DAY, {realm: Usage(5, 1, 1, 1, 1, 0)}, process="a")
    add_usage(DAY + timedelta(days=2), {realm: Usage(4, 1, 1, 1, 1, 0)}, process="a")
    add_usage(DAY + timedelta(days=3), {realm: Usage(9, 9, 9, 9, 9, 0)}, process="a")

    report = read_usage([created.realm], DAY, DAY + timedelta(days=2))

    assert [one.usage.max_connected for one in report.days] == [5, 0, 4]
    assert report.total == Usage(5, 2, 2, 2, 2, 0)


def test_all_realms_of_a_person_and_nobody_elses(created: CreatedRealm, alice: User, charlie: User):
    second, theirs = make_realm(alice).realm, make_realm(charlie).realm
    for realm in (created.realm, second, theirs):
        add_usage(DAY, {RealmId(realm.pk): Usage(2, 1, 1, 1, 1, 0)}, process="a")

    assert read_usage(list_realms(alice), DAY, DAY).total == Usage(4, 2, 2, 2, 2, 0)


def test_a_range_is_made_of_what_is_said():
    today = datetime.now(UTC).date()

    assert choose_range(None, None) == (today - timedelta(days=29), today)
    assert choose_range(None, DAY) == (DAY - timedelta(days=29), DAY)
    assert choose_range(today, None) == (today, today)
    assert choose_range(None, date.min) == (date.min, date.min)
    assert choose_range(date.max, None) == (date.max, date.max)


@pytest.mark.parametrize(("first", "last"), [(DAY, DAY - timedelta(days=1)), (DAY - timedelta(days=366), DAY)])
def test_a_range_that_is_none_is_refused(first: date, last: date):
    with pytest.raises(InvalidRequest) as refused:
        choose_range(first, last)

    assert (refused.value.field, bool(refused.value.cure)) == ("from", True)
