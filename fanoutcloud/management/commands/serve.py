"""`manage.py serve`: everything in one process, for one machine. What `make up` runs."""

import contextlib
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from fanoutcloud.celery import run_embedded
from fanoutcloud.checks import CHECK_TAG
from fanoutcloud.management.preparing import prepare_database, prepare_static_files
from fanoutcloud.management.serving import check_port, run_server


class Command(BaseCommand):
    """Prepares the database and the static files, then serves dashboard, publish API and subscribers."""

    help = "Serve everything in one process: dashboard, publish API and subscribers."
    requires_system_checks = (CHECK_TAG,)

    def handle(self, **options: Any) -> None:
        """Serve until SIGINT or SIGTERM."""
        check_port(settings.BIND, settings.PORT)
        prepare_database()
        prepare_static_files()
        from fanoutcloud.asgi import application  # composes the process: not before the port is known to be free

        application.plane.use_xmpp(settings)
        with contextlib.nullcontext() if settings.REDIS_URL else run_embedded():
            run_server(application, host=settings.BIND, port=settings.PORT, announcement=_announcement())


def _announcement() -> str:
    ready = f"ready: {settings.PUBLIC_URL}"
    if settings.IS_LOOPBACK_ALLOWED_BY_DEFAULT:
        return f"origins: servers on this machine may be named (ALLOWED_TARGETS=none forbids it)\n{ready}"
    return ready
