"""Fixtures of the XMPP contract: the same suite behind each door."""

import shutil
from collections.abc import Iterator

import pytest

from fanoutcloud.xmpp_certificate import generate
from tests.servers.command import free_port
from tests.servers.ejabberd import Ejabberd, ejabberd_directory
from tests.servers.product import Product
from tests.servers.prosody import Prosody, prosody_directory
from tests.servers.xmpp import XmppSite

DOMAIN = "push.test"


@pytest.fixture(scope="session")
def embedded_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[XmppSite]:
    """The embedded listener."""
    port = free_port()
    environment = {"XMPP_PORT": str(port), "XMPP_DOMAIN": DOMAIN, "ALLOWED_TARGETS": "127.0.0.0/8"}  # for webhooks
    product = Product(tmp_path_factory.mktemp("xmpp"), environment=environment)
    try:
        product.start()
        realm, foreign = product.create_realms("alice@example.com", "charlie@example.com")
        yield XmppSite(product, realm, foreign, port, DOMAIN, product.data_dir / f"xmpp-{DOMAIN}.pem")
        product.stop()
    finally:
        product.kill()


@pytest.fixture(scope="session")
def prosody_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[XmppSite]:
    """A product that is component of a real Prosody."""
    directory = prosody_directory()
    certificate = generate(directory, DOMAIN)
    port = free_port()
    prosody = Prosody(directory, domain=DOMAIN, certificate=certificate, auth_url=f"http://127.0.0.1:{port}/xmpp/auth")
    environment = {
        "PORT": str(port),
        "XMPP_SERVER": f"127.0.0.1:{prosody.component_port}",
        "XMPP_SECRET": prosody.secret,
        "XMPP_DOMAIN": DOMAIN,
    }
    product = Product(tmp_path_factory.mktemp("xmpp"), environment=environment)
    product.port = port
    try:
        prosody.start()
        product.start()
        realm, foreign = product.create_realms("alice@example.com", "charlie@example.com")
        yield XmppSite(product, realm, foreign, prosody.port, DOMAIN, certificate, prosody)
        product.stop()
    finally:
        product.kill()
        prosody.kill()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def ejabberd_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[XmppSite]:
    """A product that is component of a real ejabberd, where that is installed."""
    if shutil.which("ejabberdctl") is None:
        pytest.skip("ejabberd is not installed (apt-get install ejabberd)")
    directory = ejabberd_directory()
    certificate, port = generate(tmp_path_factory.mktemp("ejabberd"), DOMAIN), free_port()
    auth_url = f"http://127.0.0.1:{port}/xmpp/auth"
    ejabberd = Ejabberd(directory, domain=DOMAIN, certificate=certificate, auth_url=auth_url)
    environment = {
        "PORT": str(port),
        "XMPP_SERVER": f"127.0.0.1:{ejabberd.component_port}",
        "XMPP_SECRET": ejabberd.secret,
        "XMPP_DOMAIN": DOMAIN,
    }
    product = Product(tmp_path_factory.mktemp("xmpp"), environment=environment)
    product.port = port
    try:
        ejabberd.start()
        product.start()
        realm, foreign = product.create_realms("alice@example.com", "charlie@example.com")
        yield XmppSite(product, realm, foreign, ejabberd.port, DOMAIN, certificate)
        product.stop()
    finally:
        product.kill()
        ejabberd.kill()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(params=["embedded", "prosody", pytest.param("ejabberd", marks=pytest.mark.slow)])
def xmpp_site(request: pytest.FixtureRequest) -> XmppSite:
    """Each door in turn."""
    site: XmppSite = request.getfixturevalue(f"{request.param}_door")
    return site
