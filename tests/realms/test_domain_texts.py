"""Servers, rules and headers as people write them."""

from collections.abc import Callable
from typing import Any

import pytest

from fanoutcloud.core.domains import Origin, Route
from realms.domain_texts import (
    parse_headers,
    parse_origins,
    parse_routes,
    write_headers,
    write_origins,
    write_routes,
)
from realms.errors import InvalidDomainSetting

APP = Origin("app.acme.com", 443, is_tls=True)


def test_servers_are_read_in_their_order():
    text = " https://app.acme.com/ \n\nhttp://10.0.0.5:3000\r\nHTTPS://[2001:db8::1]:8443\nbackend:81\n"

    assert parse_origins(text) == (
        APP,
        Origin("10.0.0.5", 3000),
        Origin("2001:db8::1", 8443, is_tls=True),
        Origin("backend", 81),
    )


def test_rules_are_read_with_their_conditions():
    text = """
        /api/ https://app.acme.com http://10.0.0.5
        /live/ here as /fanout/
        ws /socket/ here
        http tls /x https://app.acme.com as /
        plain / http://10.0.0.5
    """

    assert parse_routes(text) == (
        Route("/api/", (APP, Origin("10.0.0.5", 80))),
        Route("/live/", path="/fanout/"),
        Route("/socket/", protocol="ws"),
        Route("/x", (APP,), "/", "http", is_tls=True),
        Route("/", (Origin("10.0.0.5", 80),), is_tls=False),
    )


def test_headers_are_read():
    assert parse_headers("X-A: 1: 2\n Cookie :\n") == (("X-A", "1: 2"), ("Cookie", ""))


@pytest.mark.parametrize(
    ("parse", "write", "text"),
    [
        (parse_origins, write_origins, "https://app.acme.com\nhttp://[2001:db8::1]:3000\nhttps://x:80"),
        (parse_routes, write_routes, "ws tls /a https://app.acme.com http://b as /c\nplain /b here\nhttp / here as /x"),
        (parse_headers, write_headers, "X-A: 1\nCookie:"),
    ],
)
def test_what_is_written_is_read_again(parse: Callable[[str], Any], write: Callable[[Any], str], text: str):
    assert write(parse(text)) == text


@pytest.mark.parametrize(
    ("parse", "text", "field"),
    [
        (parse_origins, "https://a\nftp://b", "origins[1]"),
        (parse_origins, "https://a/path", "origins[0]"),
        (parse_origins, "https://user@a", "origins[0]"),
        (parse_origins, "https://", "origins[0]"),
        (parse_origins, "https://a:b", "origins[0]"),
        (parse_origins, "https://[::1", "origins[0]"),
        (parse_routes, "/a", "routes[0]"),
        (parse_routes, "api https://a", "routes[0]"),
        (parse_routes, "/a here\nws", "routes[1]"),
        (parse_routes, "ws tls", "routes[0]"),
        (parse_routes, "/a here https://a", "routes[0]"),
        (parse_routes, "/a https://a/x", "routes[0]"),
        (parse_headers, "X-A", "extra_headers[0]"),
    ],
)
def test_what_can_not_be_read_names_its_line(parse: Callable[[str], Any], text: str, field: str):
    with pytest.raises(InvalidDomainSetting) as refusal:
        parse(text)

    assert refusal.value.field == field
    assert refusal.value.cure
