"""Fixtures of the XMPP contract: the same suite behind each door."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fanoutcloud.xmpp_certificate import generate
from tests.servers.command import free_port
from tests.servers.ejabberd import Ejabberd, ejabberd_directory
from tests.servers.product import Product
from tests.servers.prosody import ELSEWHERE, Prosody, prosody_directory
from tests.servers.xmpp import XmppSite

DOMAIN = "push.test"


@pytest.fixture(scope="package")
def embedded_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[XmppSite]:
    """The embedded listener."""
    port = free_port()
    environment = {"XMPP_PORT": str(port), "XMPP_DOMAIN": DOMAIN, "ALLOWED_TARGETS": "127.0.0.0/8"}
    product = Product(tmp_path_factory.mktemp("xmpp"), environment=environment)
    try:
        product.start()
        realm, foreign = product.create_realms("alice@example.com", "charlie@example.com")
        yield XmppSite(product, realm, foreign, port, DOMAIN, product.data_dir / f"xmpp-{DOMAIN}.pem")
        product.stop()
    finally:
        product.kill()


@contextmanager
def component_site(
    data_dir: Path, server: Prosody | Ejabberd, *, port: int, certificate: Path, elsewhere: Path
) -> Iterator[XmppSite]:
    """Start an XMPP server and, on `port`, a product that is component of it; end both."""
    environment = {
        "PORT": str(port),
        "XMPP_SERVER": f"127.0.0.1:{server.component_port}",
        "XMPP_SECRET": server.secret,
        "XMPP_DOMAIN": DOMAIN,
        "ALLOWED_TARGETS": "127.0.0.0/8",  # for webhooks and for applications that get stanzas
    }
    product = Product(data_dir, environment=environment)
    product.port = port
    prosody = server if isinstance(server, Prosody) else None
    try:
        server.start()
        product.start()
        realm, foreign = product.create_realms("alice@example.com", "charlie@example.com")
        yield XmppSite(product, realm, foreign, server.port, DOMAIN, certificate, prosody, elsewhere)
        product.stop()
    finally:
        product.kill()
        server.kill()


@pytest.fixture(scope="package")
def prosody_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[XmppSite]:
    """A product that is component of a real Prosody."""
    directory, port = prosody_directory(), free_port()
    certificate, elsewhere = generate(directory, DOMAIN), generate(directory, ELSEWHERE)
    auth_url = f"http://127.0.0.1:{port}/xmpp/auth"
    prosody = Prosody(directory, domain=DOMAIN, certificate=certificate, auth_url=auth_url, elsewhere=elsewhere)
    data_dir = tmp_path_factory.mktemp("xmpp")
    try:
        with component_site(data_dir, prosody, port=port, certificate=certificate, elsewhere=elsewhere) as site:
            yield site
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="package")
def ejabberd_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[XmppSite]:
    """A product that is component of a real ejabberd, where that is installed."""
    if shutil.which("ejabberdctl") is None:
        pytest.skip("ejabberd is not installed (apt-get install ejabberd)")
    directory, port = ejabberd_directory(), free_port()
    certificates = tmp_path_factory.mktemp("ejabberd")
    certificate, elsewhere = generate(certificates, DOMAIN), generate(certificates, ELSEWHERE)
    auth_url = f"http://127.0.0.1:{port}/xmpp/auth"
    ejabberd = Ejabberd(directory, domain=DOMAIN, certificate=certificate, auth_url=auth_url, elsewhere=elsewhere)
    data_dir = tmp_path_factory.mktemp("xmpp")
    try:
        with component_site(data_dir, ejabberd, port=port, certificate=certificate, elsewhere=elsewhere) as site:
            yield site
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(params=["embedded", "prosody", pytest.param("ejabberd", marks=pytest.mark.slow)])
def xmpp_site(request: pytest.FixtureRequest) -> XmppSite:
    """Each door in turn."""
    site: XmppSite = request.getfixturevalue(f"{request.param}_door")
    return site
