"""Logging, metrics, health: importable from everywhere, imports nothing of ours."""
