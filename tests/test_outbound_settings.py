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
    [("ALLOWED_TARGETS", "10.1.0.0/33"), ("DENIED_TARGETS", "example.com"), ("EXTRA_AUTHORITIES", "/nowhere.pem")],
)
def test_nonsense_is_one_sentence_with_what_was_expected(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=rf"{name}.*expected"):
        read(**{name: value})


def test_authorities_are_a_file(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("")

    assert read(EXTRA_AUTHORITIES=str(file)).extra_authorities == str(file)
