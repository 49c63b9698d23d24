"""Who may: the gate that every transport asks, and the end of what is not allowed any more (docs/topics/access.md)."""
