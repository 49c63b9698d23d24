"""A running hub, as in tests/edge."""

from tests.edge.conftest import world

__all__ = ["world"]
