"""Who is on a channel: counted, reported, and told to those who ask (docs/topics/presence.md)."""
