"""Composition: the ASGI application of a process without the dashboard, of which it loads no page.

`edge`: realms' sites and the publish API (`manage.py edge`, `manage.py xmpp`).
"""

import os

import django
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fanoutcloud.settings")
django.setup(set_prefix=False)

from fanoutcloud.application import Application  # noqa: E402 - needs the apps to be loaded
from fanoutcloud.plane import Plane  # noqa: E402

edge = Application(Plane(settings), dashboard=None, serves_sites=True)
