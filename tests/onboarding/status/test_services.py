"""What is kept of probes, and how it is summed up."""

from datetime import timedelta

import pytest
from django.utils import timezone

from onboarding.models import Probe, ProbeDay
from onboarding.status.probing import TRANSPORTS, Outcome
from onboarding.status.services import (
    DAYS_SHOWN,
    REALM_ID,
    find_target,
    forget_old_probes,
    show_status,
    store_outcomes,
)
from realms.models import Realm

pytestmark = pytest.mark.django_db

GOOD = [Outcome(name, took_s=0.02) for name in TRANSPORTS]
BAD = [Outcome(name, problem="timed out") for name in TRANSPORTS]


def test_the_realm_of_probes_is_made_once_and_is_nobodys():
    first, second = find_target(), find_target()

    assert first == second
    assert Realm.objects.get(pk=REALM_ID).owner is None


def test_one_lost_item_is_no_outage():
    store_outcomes(GOOD)
    store_outcomes(BAD)

    status = show_status()

    assert status.state == "up"
    assert [transport.last_ms for transport in status.transports] == [None] * len(TRANSPORTS)
    assert [transport.median_ms for transport in status.transports] == [20] * len(TRANSPORTS)


def test_three_lost_items_are_one():
    for _ in range(3):
        store_outcomes(BAD)

    assert show_status().state == "down"
    assert show_status().transports[0].problem == "timed out"


def test_days_hold_the_sum_and_outlive_single_probes():
    for outcomes in (GOOD, GOOD, GOOD, BAD):
        store_outcomes(outcomes)
    Probe.objects.update(at=timezone.now() - timedelta(days=3))
    ProbeDay.objects.filter(transport="sse").update(day=timezone.now().date() - timedelta(days=300))

    forget_old_probes()

    assert not Probe.objects.exists()
    assert ProbeDay.objects.count() == len(TRANSPORTS) - 1
    status = show_status()
    assert status.state == "unknown"
    socket = status.transports[0]
    assert len(socket.days) == DAYS_SHOWN
    assert (socket.days[-1].share, socket.days[-1].state, socket.days[-2].state) == (75.0, "bad", "none")
    assert socket.share == 75.0
