"""Answers to "why?": from what processes recorded to findings in plain words (docs/topics/why.md)."""
