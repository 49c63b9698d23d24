"""What one gets, how it is doing, what it is made of."""

import pytest
from django.test import Client

from onboarding.status.probing import TRANSPORTS, Outcome
from onboarding.status.services import store_outcomes

pytestmark = pytest.mark.django_db


def text_of(response) -> str:
    return response.content.decode()


def test_plans_tell_the_limits_as_they_are_set(client: Client, settings):
    settings.REALM_CONNECTIONS, settings.ITEM_BYTES = 0, 2_000_000

    page = text_of(client.get("/plans/"))

    assert "no limit" in page
    assert "2 MB" in page
    assert "16 KB" in page
    assert "24 hours" in page


def test_the_status_page_says_when_nobody_has_looked(client: Client):
    assert "Nothing is known yet" in text_of(client.get("/status/"))


@pytest.mark.parametrize(
    ("failing", "words"),
    [
        ((), "Items arrive on every transport"),
        (("sse",), "Some transports have trouble"),
        (TRANSPORTS, "Items do not arrive"),
    ],
)
def test_the_status_page_tells_what_probes_found(client: Client, failing: tuple[str, ...], words: str):
    for _ in range(3):
        store_outcomes(
            Outcome(name, problem="nothing arrived: timed out") if name in failing else Outcome(name, took_s=0.012)
            for name in TRANSPORTS
        )

    page = text_of(client.get("/status/"))

    assert words in page
    assert page.count("Not working") == len(failing)
    assert page.count("Last item in 12 ms") == len(TRANSPORTS) - len(failing)
    assert ("Nothing arrived: timed out." in page) == bool(failing)


def test_the_style_page_is_made_of_the_components(client: Client):
    page = text_of(client.get("/style/"))

    for part in ("button-primary", "notice-error", "swatch-brand", "refusal"):
        assert part in page
