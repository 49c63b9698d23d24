"""Subscribers that want a choice: of a channel's items, or of channels by pattern (docs/topics/patterns.md)."""
