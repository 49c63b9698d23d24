"""Carries items from publishers to every edge and keeps short history. One protocol, two implementations."""
