"""Thin ASGI shells around the hub, one per transport: they differ in framing, start and end."""
