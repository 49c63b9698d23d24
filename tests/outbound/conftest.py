"""A client for all who need no settings of their own."""

from collections.abc import AsyncIterator

import pytest

from fanoutcloud.outbound.client import OutboundClient
from tests.outbound.worlds import client_of


@pytest.fixture
async def client() -> AsyncIterator[OutboundClient]:
    async with client_of() as made:
        yield made
