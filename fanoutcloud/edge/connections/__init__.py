"""Where bytes go: sinks, and connections of our own server that have left HTTP behind (docs/topics/fan-out.md)."""
