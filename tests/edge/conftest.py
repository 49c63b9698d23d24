"""Fixtures of the edge's tests."""

from collections.abc import AsyncIterator

import pytest

from tests.edge.takeover.handover_worlds import Handover
from tests.edge.worlds import EdgeWorld


@pytest.fixture
async def world() -> AsyncIterator[EdgeWorld]:
    """A running hub."""
    async with EdgeWorld().running() as world:
        yield world


@pytest.fixture
async def handover(world: EdgeWorld) -> AsyncIterator[Handover]:
    """An old edge and a new one."""
    async with Handover(world).running() as handover:
        yield handover
