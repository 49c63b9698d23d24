"""Which networks realms may name servers in, under one environment or another."""

from pathlib import Path

import pytest

from fanoutcloud.env import BadSetting, Environment
from fanoutcloud.outbound_settings import OutboundSettings, read_outbound_settings


def read(bind: str = "127.0.0.1", public_host: str = "localhost", **variables: str) -> OutboundSettings:
    return read_outbound_settings(Environment(variables), bind=bind, public_host=public_host)


def test_an_installation_for_one_machine_allows_loopback() -> None:
    settings = read()

    assert settings.allowed == ["127.0.0.0/8", "::1/128"]
    assert settings.is_loopback_by_default


@pytest.mark.parametrize(
    ("bind", "public_host", "variables"),
    [
        ("0.0.0.0", "localhost", {}),
        ("127.0.0.1", "fanout.example.com", {}),
        ("127.0.0.1", "localhost", {"ALLOWED_HOSTS": "fanout.example.com"}),
        ("127.0.0.1", "localhost", {"ALLOWED_TARGETS": "none"}),
    ],
)
def test_every_other_installation_allows_nothing_private(
    bind: str, public_host: str, variables: dict[str, str]
) -> None:
    settings = read(bind, public_host, **variables)

    assert settings.allowed == []
    assert not settings.is_loopback_by_default


def test_networks_are_listed() -> None:
    settings = read(ALLOWED_TARGETS="10.1.0.0/16, fd00::/8", DENIED_TARGETS="198.41.0.4")

    assert settings.allowed == ["10.1.0.0/16", "fd00::/8"]
    assert settings.denied == ["198.41.0.4"]
    assert not settings.is_loopback_by_default


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALLOWED_TARGETS", "10.1.0.0/33"),
        ("ALLOWED_TARGETS", "10.1"),
        ("DENIED_TARGETS", "*"),
        ("DENIED_TARGETS", "a.*.example.com"),
        ("EXTRA_AUTHORITIES", "/nowhere.pem"),
        ("EGRESS_PROXY_CERTIFICATE", "/nowhere.pem"),
        ("EGRESS_PROXY_PLAIN", "tunnels"),
        ("TARGET_SCHEMES", "https,ftp"),
        ("TARGET_PORTS", "0"),
        ("TARGET_PORTS", "80-"),
        ("TARGET_PORTS", "http"),
        ("EGRESS_PROXY", "socks5://proxy:1080"),
        ("EGRESS_PROXY", "proxy:3128"),
        ("EGRESS_PROXY", "http://proxy:99999"),
        ("EGRESS_PROXY", "http://proxy/path"),
    ],
)
def test_nonsense_is_one_sentence_with_what_was_expected(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=rf"{name}.*expected"):
        read(**{name: value})


def test_authorities_are_a_file(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("")

    assert read(EXTRA_AUTHORITIES=str(file)).extra_authorities == str(file)


def test_names_are_listed_beside_networks_and_files_carry_comments(tmp_path: Path) -> None:
    file = tmp_path / "allowed"
    file.write_text("10.1.0.0/16  # build servers, asked for by Alice\n\n# all of ours\n*.Corp.example, fd00::/8\n")

    assert read(ALLOWED_TARGETS_FILE=str(file)).allowed == ["10.1.0.0/16", "*.Corp.example", "fd00::/8"]
    assert read(DENIED_TARGETS="rival.example").denied == ["rival.example"]


def test_an_installation_for_others_calls_the_ports_of_web_servers() -> None:
    ports = read(bind="0.0.0.0").ports

    assert ports is not None
    assert [port for port in (22, 25, 80, 443, 3000, 6379, 8080, 8443) if port in ports] == [80, 443, 8080, 8443]
    assert read().ports is None
    assert read(bind="0.0.0.0", ALLOWED_TARGETS="10.0.0.0/8").ports is None
    assert read(bind="0.0.0.0", TARGET_PORTS="any").ports is None


def test_ports_are_listed_one_by_one_or_as_ranges() -> None:
    ports = read(TARGET_PORTS="443, 8000-8999").ports

    assert ports is not None
    assert [port for port in (80, 443, 7999, 8000, 8999, 9000) if port in ports] == [443, 8000, 8999]


def test_with_an_egress_proxy_nothing_is_allowed_by_default() -> None:
    settings = read(EGRESS_PROXY="https://us:secret@proxy.example:4750", EGRESS_PROXY_PLAIN="forward")

    assert (settings.allowed, settings.is_loopback_by_default) == ([], False)
    assert settings.egress_forwards_plain


def test_the_proxys_password_is_not_repeated() -> None:
    with pytest.raises(BadSetting) as raised:
        read(EGRESS_PROXY="ftp://us:secret@proxy.example")

    assert "secret" not in str(raised.value)
