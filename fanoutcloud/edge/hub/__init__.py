"""Who is subscribed to what in this process, how each came there, and the fan-out (docs/topics/fan-out.md)."""
