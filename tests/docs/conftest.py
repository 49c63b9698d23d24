"""The docs are tried on the real product."""

from tests.servers.product import product_of_the_folder

__all__ = ["product_of_the_folder"]
