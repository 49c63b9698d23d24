"""WSGI entry point of the dashboard, where nothing else is offered. It serves no subscribers: see `asgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fanoutcloud.settings")

application = get_wsgi_application()
