"""`manage.py runserver`: Daphne with Django's reloader, for work on the pages.

Here instead of among the installed apps, since Daphne brings Twisted, which no other process needs.
"""

import daphne.server  # noqa: F401  # first: it chooses Twisted's event loop
from daphne.management.commands.runserver import Command

__all__ = ["Command"]
