"""An item as the bytes that many subscribers get: messages, wire formats, frames, compression."""
