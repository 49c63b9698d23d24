"""The management API, `/api/v1/` (docs/api/management.md): realms and all that is in them, for programs."""
