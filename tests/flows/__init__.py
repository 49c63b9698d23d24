"""Publish over HTTP, receive at the edge."""
