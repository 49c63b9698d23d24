"""Whether the service works, asked from outside as a customer would, and shown to everybody."""
