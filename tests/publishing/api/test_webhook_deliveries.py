"""Deliveries and attempts by program."""

import pytest
from django.utils import timezone

from publishing.models import WebhookAttempt, WebhookDelivery
from realms.services import CreatedRealm
from tests.publishing.api.callers import Caller


@pytest.fixture
def base(created: CreatedRealm) -> str:
    return f"realms/{created.realm.pk}/webhooks"


@pytest.fixture
def endpoint(alices_caller: Caller, base: str) -> str:
    return f"{base}/{alices_caller.post(base, {'url': 'https://hooks.example.com/in'}).json()['id']}"


def test_a_test_event_is_a_delivery_that_waits(alices_caller: Caller, base: str, endpoint: str):
    sent = alices_caller.post(f"{endpoint}/test")

    assert (sent.status_code, sent.json()["kind"], sent.json()["state"]) == (201, "webhook.test", "waiting")
    assert sent.json()["due_at"] is not None
    assert alices_caller.get(f"{base}/deliveries/{sent.json()['id']}").json() == sent.json()


def test_deliveries_are_searched(alices_caller: Caller, base: str, endpoint: str):
    first, second = (alices_caller.post(f"{endpoint}/test").json() for _ in range(2))
    WebhookDelivery.objects.filter(pk=first["id"]).update(state="dead", channel="door")

    def found(query: str) -> list[int]:
        return [row["id"] for row in alices_caller.get(f"{base}/deliveries?{query}").json()["items"]]

    assert found("") == [second["id"], first["id"]]
    assert found("state=dead") == found("channel=door") == [first["id"]]
    assert found(f"webhook_id={second['webhook_id']}") == [second["id"]]
    assert found(f"webhook={endpoint.rpartition('/')[2]}&kind=webhook.test&limit=1") == [second["id"]]
    assert found("webhook=999999") == found("since=2100-01-01T00:00:00Z") == found("until=2000-01-01T00:00:00Z") == []
    assert alices_caller.get(f"{base}/deliveries?state=lost").status_code == 400


def test_each_attempt_says_what_it_took_and_why_it_failed(alices_caller: Caller, base: str, endpoint: str):
    delivery = alices_caller.post(f"{endpoint}/test").json()["id"]
    WebhookAttempt.objects.create(
        delivery_id=delivery, number=1, started_at=timezone.now(), dns_ms=1.5, connect_ms=2.0, first_byte_ms=30.25,
        total_ms=40.5, address="93.184.216.34", status=500, cause="status", message="The endpoint answered 500.",
        cure="Look into its log.", response_headers=[["content-type", "text/plain"]], answer="oops",
    )  # fmt: skip

    (attempt,) = alices_caller.get(f"{base}/deliveries/{delivery}/attempts").json()["items"]

    assert (attempt["number"], attempt["status"], attempt["answer"], attempt["tls_ms"]) == (1, 500, "oops", None)
    assert (attempt["first_byte_ms"], attempt["message"]) == (30.25, "The endpoint answered 500.")
    assert attempt["response_headers"] == [["content-type", "text/plain"]]


def test_one_is_sent_again(alices_caller: Caller, base: str, endpoint: str):
    delivery = alices_caller.post(f"{endpoint}/test").json()["id"]
    WebhookDelivery.objects.filter(pk=delivery).update(state="dead")

    again = alices_caller.post(f"{base}/deliveries/{delivery}/replay").json()

    assert (again["state"], again["replays"]) == ("waiting", 1)


def test_those_of_another_realm_are_not_found(alices_caller: Caller, base: str, endpoint: str, charlies_caller: Caller):
    delivery = alices_caller.post(f"{endpoint}/test").json()["id"]
    theirs = f"realms/{charlies_caller.post('realms', {}).json()['id']}/webhooks/deliveries"

    assert charlies_caller.get(theirs).json()["items"] == []
    for answer in (
        charlies_caller.get(f"{theirs}/{delivery}"),
        charlies_caller.get(f"{theirs}/{delivery}/attempts"),
        charlies_caller.post(f"{theirs}/{delivery}/replay"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "webhook_delivery_not_found")
