"""Bayeux 1.0 at `/bayeux`, as Faye's clients speak it (docs/api/bayeux.md)."""
