"""Inspectors: URLs of this installation to receive webhooks into, for whoever has no server yet."""
