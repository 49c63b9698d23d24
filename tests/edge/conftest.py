"""Fixtures of the edge's tests."""

from collections.abc import AsyncIterator

import pytest

from tests.edge.worlds import EdgeWorld


@pytest.fixture
async def world() -> AsyncIterator[EdgeWorld]:
    """A running hub."""
    async with EdgeWorld().running() as world:
        yield world
