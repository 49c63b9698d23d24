"""FPP, the old service's own small long-poll protocol, at `/fpp` and `/pubsub` (docs/api/fpp.md)."""
