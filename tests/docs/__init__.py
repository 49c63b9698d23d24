"""What the docs show, tried."""
