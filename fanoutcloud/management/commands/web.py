"""`manage.py web`: dashboard, APIs and publish API, one process of many."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from fanoutcloud.checks import CHECK_TAG
from fanoutcloud.management.serving import check_port, run_server


class Command(BaseCommand):
    """Serves dashboard and APIs; realms' sites too, with the same prepared sinks as an edge."""

    help = "Serve dashboard and APIs in one of many processes; needs REDIS_URL."
    requires_system_checks = (CHECK_TAG,)

    def add_arguments(self, parser: CommandParser) -> None:
        """Name the port."""
        parser.add_argument("--port", type=int, default=settings.PORT, help="port to listen on")
        parser.add_argument("--host", default=settings.BIND, help="address to listen on")

    def handle(self, *, port: int, host: str, **options: Any) -> None:
        """Serve until SIGINT or SIGTERM."""
        if not settings.REDIS_URL:
            raise CommandError("A web process of its own needs REDIS_URL; without Redis use `manage.py serve`.")
        check_port(host, port)
        from fanoutcloud.asgi import web  # composes the process: not before the port is known to be free

        run_server(web, host=host, port=port, announcement=f"ready: web on http://{host}:{port}")
