"""The docs are tried on the real product."""

from tests.servers.product import product

__all__ = ["product"]
