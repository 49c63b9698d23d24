"""Fixtures of the XMPP contract: the same product and suite behind each door."""

from collections.abc import Iterator

import pytest

from tests.servers.command import free_port
from tests.servers.product import Product
from tests.servers.xmpp import XmppSite


@pytest.fixture(scope="session")
def embedded_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[XmppSite]:
    """The embedded listener."""
    port = free_port()
    product = Product(tmp_path_factory.mktemp("xmpp"), environment={"XMPP_PORT": str(port), "XMPP_DOMAIN": "push.test"})
    try:
        product.start()
        realm, foreign = product.create_realms("alice@example.com", "charlie@example.com")
        yield XmppSite(product, realm, foreign, port, "push.test", product.data_dir / "xmpp-push.test.pem")
        product.stop()
    finally:
        product.kill()


@pytest.fixture(params=["embedded"])
def xmpp_site(request: pytest.FixtureRequest) -> XmppSite:
    """Each door in turn."""
    site: XmppSite = request.getfixturevalue(f"{request.param}_door")
    return site
