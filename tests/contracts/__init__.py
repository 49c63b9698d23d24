"""One suite for every broker, transport and door."""
