"""One process full of subscribers: the hub, what it writes to, and the transports."""
