"""The project package: composition at its top, the delivery plane in its subpackages."""
