"""One edge follows another on the same port, with its open connections (docs/topics/deploys.md)."""
