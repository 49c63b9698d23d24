"""Headers of an endpoint's own: what is taken, sealed, sent, and shown to nobody."""

from collections.abc import Callable
from typing import Any

import pytest

from fanoutcloud.core.items import HttpRequest
from publishing.models import WebhookAttempt, WebhookEndpoint
from publishing.webhooks import endpoints
from publishing.webhooks.endpoints import CreatedEndpoint
from publishing.webhooks.errors import InvalidEndpoint
from publishing.webhooks.own_headers import check_headers, open_headers, read_lines, seal_headers, show_headers
from publishing.webhooks.relay import store_deliveries
from realms.services import CreatedRealm
from tests.publishing.webhooks.conftest import URL, item_event
from tests.servers.webhook_sink import WebhookSink

Add = Callable[..., CreatedEndpoint]


@pytest.mark.parametrize(
    "name",
    [
        "Host", "content-length", "Transfer-Encoding", "Connection", "Expect", "Upgrade", "TE", "Trailer",
        "Proxy-Authorization", "webhook-id", "Webhook-Signature", "X-Forwarded-For", "Forwarded", "Metadata",
        "Metadata-Flavor", "X-aws-ec2-metadata-token", "Fanout-Realm", "User-Agent", "Content-Type",
    ],
)  # fmt: skip
def test_headers_that_are_not_theirs_are_refused(name: str):
    with pytest.raises(InvalidEndpoint, match="ours to set") as refused:
        check_headers({"X-Fine": "1", name: "x"})
    assert refused.value.field == f"headers.{name}"


@pytest.mark.parametrize("name", ["", "X A", "X:A", "X\r\nY", "X\x00", "Ä", "X(A)"])
def test_a_name_is_a_token(name: str):
    with pytest.raises(InvalidEndpoint, match="no name of a header"):
        check_headers({name: "x"})


@pytest.mark.parametrize("value", ["a\r\nX-B: c", "a\nb", "a\rb", "a\x00b", "a\x7fb", "日本"])
def test_a_value_is_one_line_that_a_header_can_hold(value: str):
    with pytest.raises(InvalidEndpoint, match="holds what none can"):
        check_headers({"X-A": value})


@pytest.mark.parametrize(
    "headers",
    [
        {f"X-{number}": "" for number in range(33)},
        {"X-A": "a" * 8_190},
        {"X-A": "1", "x-a": "2"},
        [["X-A", "1"]],
        {"X-A": 7},
    ],
)
def test_there_are_bounds(headers: Any):
    with pytest.raises(InvalidEndpoint):
        check_headers(headers)


def test_what_fits_is_taken_without_blanks_around():
    most = {f"X-{number:02}": "a" * 252 for number in range(32)}

    assert check_headers({"Authorization": " Bearer abc\t", "X-Empty": ""}) == [
        ("Authorization", "Bearer abc"), ("X-Empty", ""),
    ]  # fmt: skip
    assert len(check_headers(most)) == 32


def test_a_hidden_value_stays_as_it_is_and_only_where_there_is_one():
    sealed = seal_headers([("Authorization", "Bearer abc")])

    assert "abc" not in sealed
    assert open_headers(sealed) == [("Authorization", "Bearer abc")]
    assert show_headers(sealed) == {"Authorization": "…"}
    assert show_headers("broken") == {}
    assert check_headers({"authorization": "…", "X-B": "2"}, sealed) == [("authorization", "Bearer abc"), ("X-B", "2")]
    with pytest.raises(InvalidEndpoint):
        check_headers({"X-Other": "…"}, sealed)


def test_lines_are_read_and_those_that_are_none_are_named():
    assert read_lines("X-A: 1\n\n  X-B:http://c:80/ \n") == {"X-A": "1", "X-B": "http://c:80/"}
    for text in ("X-A 1", "X-A: 1\nX-A: 2"):
        with pytest.raises(InvalidEndpoint, match="line"):
            read_lines(text)


@pytest.mark.django_db
def test_hidden_headers_do_not_follow_a_url_to_another_server(created: CreatedRealm, add: Add):
    row = add(headers={"X-Key": "of-acme-alone"}).endpoint

    def change(**changes: Any) -> list[tuple[str, str]]:
        endpoints.change_endpoint(realm=created.realm, endpoint_id=row.pk, changes=changes)
        return open_headers(WebhookEndpoint.objects.get().sealed_headers)

    for url in ("https://evil.example.com/in", "http://hooks.acme.com/in", "https://hooks.acme.com:8443/in"):
        for headers in ({}, {"headers": {"X-Key": "…"}}):
            with pytest.raises(InvalidEndpoint, match="another server"):
                change(url=url, **headers)
    assert change(url=f"{URL}/other", is_ordered=True) == [("X-Key", "of-acme-alone")]
    assert change(url="https://new.acme.com/in", headers={"X-Key": "new"}) == [("X-Key", "new")]
    assert change(url=URL, headers={}) == []


@pytest.mark.django_db(transaction=True)
def test_they_are_sent_with_each_call_and_the_log_hides_them(
    created: CreatedRealm, sink: WebhookSink, at_sink: Callable[..., WebhookEndpoint], send_due: Callable[[], int]
):
    at_sink(headers={"X-Receiver": "door-of-acme", "x-own": "the endpoint's"})
    sink.behave = lambda request: (200, {"X-Echo": "door-of-acme"}, f"got {request.headers['x-receiver']}".encode())
    request = HttpRequest("PUT", (("X-Own", "the item's"), ("X-Item", "1")), b"hello")

    store_deliveries([item_event(created.realm.pk, 1), item_event(created.realm.pk, 2, http_request=request)])
    send_due()

    first, second = sorted(sink.received, key=lambda one: one.method)
    assert (first.headers["x-receiver"], second.headers["x-receiver"]) == ("door-of-acme", "door-of-acme")
    assert (second.headers["x-own"], second.headers["x-item"]) == ("the endpoint's", "1")
    for attempt in WebhookAttempt.objects.all():
        logged = f"{attempt.request_headers} {attempt.response_headers} {attempt.answer}"
        assert "door-of-acme" not in logged
        assert "the endpoint's" not in logged
        assert dict(attempt.request_headers)["X-Receiver"] == "…"
        assert attempt.answer == "got …"
