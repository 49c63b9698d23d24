"""The domain: what an item, a position and a realm are. Standard library and msgspec only, no I/O."""
