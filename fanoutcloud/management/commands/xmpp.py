"""`manage.py xmpp`: the XMPP gateway, one process of an installation of many."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from fanoutcloud.checks import CHECK_TAG
from fanoutcloud.management.serving import check_port, run_server


class Command(BaseCommand):
    """Is component of an XMPP server, and answers its questions about passwords."""

    help = "Serve XMPP in a process of its own; needs REDIS_URL and XMPP_SERVER or XMPP_PORT."
    requires_system_checks = (CHECK_TAG,)

    def add_arguments(self, parser: CommandParser) -> None:
        """Name the port."""
        parser.add_argument("--port", type=int, default=settings.PORT, help="port for /xmpp/auth, health and metrics")
        parser.add_argument("--host", default=settings.BIND, help="address to listen on")

    def handle(self, *, port: int, host: str, **options: Any) -> None:
        """Serve until SIGINT or SIGTERM."""
        if not settings.REDIS_URL:
            raise CommandError(
                "A gateway of its own needs REDIS_URL; without Redis, `manage.py serve` has the gateway in it."
            )
        if not settings.XMPP.is_on:
            raise CommandError("XMPP is off: set XMPP_SERVER and XMPP_SECRET, or XMPP_PORT.")
        check_port(host, port)
        from fanoutcloud.edge_asgi import edge  # composes the process: not before the port is known to be free

        edge.plane.use_xmpp(settings)
        run_server(edge, host=host, port=port, announcement=f"ready: xmpp, asked at http://{host}:{port}/xmpp/auth")
