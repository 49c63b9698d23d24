"""Passing requests on to realms' origins, and holding clients as the origins say (docs/topics/grip.md)."""
