"""Settings that do not fit together are found, and fitting ones are left in peace."""

import pytest
from pytest_django.fixtures import Settings

from fanoutcloud.checks import check_settings


@pytest.fixture
def production(settings: Settings) -> Settings:
    """An installation of many processes that others can reach, as it should be."""
    settings.DEBUG = False
    settings.PUBLIC_URL = "https://fanout.example.com"
    settings.IS_HTTPS = True
    settings.ALLOWED_HOSTS = ["fanout.example.com", "localhost"]
    settings.EDGE_DOMAIN = "fanout-sites.example.net"
    settings.DATABASE_URL = "postgres://db/fanout"
    settings.REDIS_URL = "redis://redis"
    settings.IS_EMBEDDED = settings.IS_SQLITE = False
    settings.IS_SECRET_KEY_GENERATED = settings.IS_SEALING_KEY_GENERATED = False
    settings.TRUSTED_PROXIES = ["10.0.0.1"]
    settings.ROLE = "web"
    settings.ALLOWED_TARGETS = ["10.1.0.0/16"]
    settings.IS_LOOPBACK_ALLOWED_BY_DEFAULT = False
    return settings


def found() -> list[str]:
    messages = check_settings()
    assert all(message.hint for message in messages)
    return [(message.id or "").removeprefix("fanoutcloud.") for message in messages]


def test_a_fresh_checkout_and_a_good_production_are_left_in_peace(settings: Settings):
    assert found() == []


@pytest.mark.parametrize("role", ["all", "web", "edge", "worker", "beat"])
def test_a_good_production_is_left_in_peace(production: Settings, role: str):
    production.ROLE = role

    assert found() == []


def test_debug_on_a_public_host_is_an_error(production: Settings):
    production.DEBUG = True

    assert found() == ["E001"]


@pytest.mark.parametrize("host", ["localhost", "app.localhost", "127.0.0.1", "[::1]"])
def test_debug_on_this_machine_alone_is_fine(settings: Settings, host: str):
    settings.DEBUG = True
    settings.ALLOWED_HOSTS = [host]

    assert found() == []


def test_generated_secrets_in_production_are_errors(production: Settings):
    production.IS_SECRET_KEY_GENERATED = production.IS_SEALING_KEY_GENERATED = True

    assert found() == ["E002", "E003"]


def test_generated_secrets_are_fine_on_one_machine(production: Settings):
    production.IS_SECRET_KEY_GENERATED = production.IS_SEALING_KEY_GENERATED = True
    production.PUBLIC_URL, production.IS_HTTPS = "http://localhost:8000", False
    production.EDGE_DOMAIN = "localhost:8000"
    production.ALLOWED_HOSTS = ["localhost"]

    assert found() == []


@pytest.mark.parametrize("role", ["web", "edge", "worker", "beat"])
def test_a_part_of_many_processes_needs_redis(production: Settings, role: str):
    production.ROLE, production.REDIS_URL = role, ""

    assert found() == ["E004"]


def test_a_part_of_many_processes_needs_more_than_sqlite(production: Settings):
    production.IS_SQLITE = True

    assert found() == ["E005"]


def test_a_wildcard_among_the_hosts_is_an_error(production: Settings):
    production.ALLOWED_HOSTS = ["*"]

    assert found() == ["E006"]


@pytest.mark.parametrize("domain", ["fanout.example.com", "example.com", "com", "fanout.example.com:8443"])
def test_a_site_that_could_set_cookies_for_the_dashboard_is_an_error(production: Settings, domain: str):
    production.EDGE_DOMAIN = domain

    assert found() == ["E007"]


@pytest.mark.parametrize("domain", ["sites.fanout.example.com", "example.net", "out.example.com"])
def test_a_site_that_can_not_set_cookies_for_the_dashboard_is_fine(production: Settings, domain: str):
    production.EDGE_DOMAIN = domain

    assert found() == []


def test_https_without_a_trusted_proxy_is_a_warning(production: Settings):
    production.TRUSTED_PROXIES = []

    assert found() == ["W001"]


def test_a_shared_database_without_redis_is_a_warning(production: Settings):
    production.ROLE, production.REDIS_URL = "all", ""

    assert found() == ["W002"]


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0", "64:ff9b::/96", "2002::/16", "::/16"])
def test_a_network_that_stands_for_every_address_is_an_error(production: Settings, network: str):
    production.ALLOWED_TARGETS = [network]

    assert found() == ["E008"]


def test_this_machine_as_a_target_of_strangers_is_a_warning(production: Settings):
    production.ALLOWED_TARGETS = ["127.0.0.0/8"]

    assert found() == ["W003"]


def test_an_address_of_metadata_is_a_warning(production: Settings):
    production.ALLOWED_TARGETS = ["169.254.169.254"]

    assert found() == ["W004"]


def test_lists_of_networks_beside_an_egress_proxy_are_an_error(production: Settings):
    production.EGRESS_PROXY = "http://proxy.example:3128"
    assert found() == ["E009"]

    production.ALLOWED_TARGETS = ["*.corp.example"]
    assert found() == []

    production.DENIED_TARGETS = ["198.41.0.4"]
    assert found() == ["E009"]
