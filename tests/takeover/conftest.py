"""An installation with a Redis, for edges that come and go."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.load.listeners import Crowd
from tests.servers.command import Command
from tests.servers.edges import Installation

StartEdge = Callable[..., Command]


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Installation:
    """One for the module; each test takes a port of its own."""
    return Installation(tmp_path_factory.mktemp("edges"), redis_url)


@pytest.fixture
def start_edge(installation: Installation) -> Iterator[StartEdge]:
    """Start edges on the test's port that serve until the test ends, or until it ends them."""
    installation.take_port()
    with ExitStack() as stack:

        def start(*options: str) -> Command:
            return stack.enter_context(installation.edge(*options))

        yield start


@pytest.fixture
async def crowd(installation: Installation, start_edge: StartEdge) -> AsyncIterator[Crowd]:
    """Listeners of the installation's realm, none yet."""
    crowd = Crowd(installation.port, installation.realm)
    yield crowd
    await crowd.leave()
