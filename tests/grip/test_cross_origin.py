"""CORS headers where an answer has none."""

from fanoutcloud.grip.cross_origin import METHODS, add_cross_origin


def test_a_preflight_is_answered_with_what_it_asks_for() -> None:
    asked = [
        (b"origin", b"https://page.example"),
        (b"access-control-request-method", b"PUT"),
        (b"access-control-request-headers", b"x-a, x-b"),
    ]

    assert add_cross_origin([], asked) == [
        (b"Access-Control-Allow-Methods", b"PUT"),
        (b"Access-Control-Allow-Headers", b"x-a, x-b"),
        (b"Access-Control-Allow-Credentials", b"true"),
        (b"Access-Control-Allow-Origin", b"https://page.example"),
        (b"Access-Control-Max-Age", b"3600"),
    ]


def test_what_an_origin_says_itself_stays() -> None:
    answered = [(b"access-control-allow-origin", b"https://only.example"), (b"ACCESS-CONTROL-MAX-AGE", b"1")]

    added = add_cross_origin(answered, [(b"origin", b"https://evil.example")])

    assert added[:2] == answered
    assert [name for name, _ in added[2:]] == [b"Access-Control-Allow-Methods", b"Access-Control-Allow-Credentials"]
    assert added[2][1] == METHODS


def test_headers_that_pages_can_not_read_by_themselves_are_exposed_once() -> None:
    answered = [(b"X-A", b"1"), (b"X-A", b"2"), (b"Content-Type", b"x"), (b"ETag", b"y"), (b"Pragma", b"z")]

    assert (b"Access-Control-Expose-Headers", b"X-A, ETag") in add_cross_origin(answered, [])
