"""Lists of servers as an operator writes them."""

# ruff: noqa: RUF001 - digits that look like others are what this is about

import pytest

from fanoutcloud.outbound.lists import parse_networks, parse_ports, parse_targets


def test_names_are_exact_or_stand_for_all_below() -> None:
    names = parse_targets(["app.example.com", "*.corp.example", "*.Internal"]).names

    listed = ["app.example.com", "a.corp.example", "a.b.corp.example", "db.internal"]
    others = ["example.com", "x.app.example.com", "corp.example", "notcorp.example", "xcorp.example", "internal", ""]
    assert [host for host in listed + others if names.includes(host)] == listed


def test_networks_and_names_stand_in_one_list() -> None:
    targets = parse_targets(["10.0.0.0/8", "app.example.com", "::1", "web"])

    assert targets.networks == parse_networks(["10.0.0.0/8", "::1"])
    assert sorted(targets.names.names) == ["app.example.com", "web"]


@pytest.mark.parametrize(
    "text",
    ["", "*", "*.", "a.*", "*a.example", "a..b", ".a", "a.", "-a.example", "a-.example", "10.0.0.1/8", "10.1",
     "127.0.0.1.5", "0x7f", "x.0x7f", "1e3.7", "a b", "a/b", "http://a.example", "a.example:80", "bücher.example",
     "a" * 64, "x." * 130 + "x"],
)  # fmt: skip
def test_what_is_neither_network_nor_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no network in CIDR form"):
        parse_targets([text])


@pytest.mark.parametrize("text", ["", "0", "65536", "-1", "80-", "-80", "+80", "８０", "80-99999", "http", "1-2-3"])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no port"):
        parse_ports([text])
