"""The first realm of new people, and how far they have come with it."""

import pytest

from accounts.models import User
from onboarding.models import QuickStartProgress
from onboarding.services import (
    QuickStartStep,
    find_unfinished_realm,
    get_progress,
    mark_delivered,
    mark_published,
    mark_step,
    mark_subscribed,
    open_first_realm,
)
from realms.models import ApiKey, Realm
from realms.services import CreatedRealm
from tests.factories import make_realm


def test_the_first_realm_is_made_once(alice: User):
    first = open_first_realm(alice)

    assert open_first_realm(alice) == first
    assert Realm.objects.count() == 1
    assert ApiKey.objects.live(first).count() == 1


def test_the_first_realm_is_the_oldest(alice: User):
    oldest = make_realm(alice).realm
    make_realm(alice)

    assert open_first_realm(alice) == oldest


def test_a_step_is_noted_once_and_its_time_stays(created: CreatedRealm):
    assert mark_subscribed(created.realm)
    first_seen = get_progress(created.realm).subscribed_at

    assert not mark_subscribed(created.realm)
    assert get_progress(created.realm).subscribed_at == first_seen


def test_steps_are_noted_apart_and_in_any_order(created: CreatedRealm):
    mark_delivered(created.realm)
    assert get_progress(created.realm).published_at is None

    mark_published(created.realm)

    progress = get_progress(created.realm)
    assert (progress.subscribed_at is None, progress.published_at is None, progress.delivered_at is None) == (
        True,
        False,
        False,
    )


@pytest.mark.parametrize("step", QuickStartStep)
def test_a_step_of_one_realm_is_none_of_another(created: CreatedRealm, charlie: User, step: QuickStartStep):
    foreign = make_realm(charlie).realm

    mark_step(created.realm, step)

    assert not QuickStartProgress.objects.filter(realm=foreign).exists()


def test_the_quick_start_is_unfinished_until_an_item_was_delivered(created: CreatedRealm, alice: User):
    assert find_unfinished_realm(alice) == created.realm

    mark_delivered(created.realm)

    assert find_unfinished_realm(alice) is None


def test_who_has_several_realms_or_none_has_no_unfinished_one(created: CreatedRealm, alice: User, charlie: User):
    make_realm(alice)

    assert find_unfinished_realm(alice) is None
    assert find_unfinished_realm(charlie) is None
