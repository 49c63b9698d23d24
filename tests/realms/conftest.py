"""What tests of the realms' domains share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from realms.services import proving
from tests.realms.test_proofs import Internet


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch) -> Internet:
    """What the product finds when it looks for a proof: names and pages that a test has put there."""
    internet = Internet()

    @asynccontextmanager
    async def open_way_out(settings: object) -> AsyncIterator[SimpleNamespace]:
        yield SimpleNamespace(resolver=internet, client=internet)

    monkeypatch.setattr(proving, "open_way_out", open_way_out)
    return internet
