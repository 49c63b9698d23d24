"""Probes against the running product, and against what is not there."""

from onboarding.status.probing import TRANSPORTS, ProbeTarget, probe
from tests.servers.command import free_port
from tests.servers.product import Product, product

__all__ = ["product"]


def test_an_item_arrives_on_every_transport_again_and_again(product: Product):
    realm = product.create_realm()
    target = ProbeTarget(product.url, realm.realm, realm.key)

    for _ in range(2):
        outcomes = probe(target)
        assert [one.transport for one in outcomes] == list(TRANSPORTS)
        assert [one.problem for one in outcomes] == [""] * len(TRANSPORTS)
        assert all(one.took_s is not None and 0 <= one.took_s < 10 for one in outcomes)


def test_a_key_that_does_not_hold_is_a_failure_of_publishing(product: Product):
    realm = product.create_realm()

    outcomes = probe(ProbeTarget(product.url, realm.realm, "wrong"))

    assert {one.problem for one in outcomes} == {"publishing failed: status 401"}


def test_a_service_that_is_away_is_said_to_be_without_an_address():
    outcomes = probe(ProbeTarget(f"http://localhost:{free_port()}", "0a1b2c3d", "a2V5"))

    assert {one.problem for one in outcomes} == {"no connection: ConnectionRefusedError"}
