"""Webhooks: endpoints that customers name are called with what happens in their realms (docs/topics/webhooks.md)."""
