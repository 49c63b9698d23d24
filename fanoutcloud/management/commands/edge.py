"""`manage.py edge`: one process full of subscribers, one of many."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from fanoutcloud.checks import CHECK_TAG
from fanoutcloud.management.serving import check_port, make_succession, run_server


class Command(BaseCommand):
    """Serves subscribers and the publish API."""

    help = "Serve subscribers and the publish API in one of many processes; needs REDIS_URL."
    requires_system_checks = (CHECK_TAG,)

    def add_arguments(self, parser: CommandParser) -> None:
        """Name the port, and the way from one deploy to the next."""
        parser.add_argument("--port", type=int, default=settings.PORT, help="port to listen on")
        parser.add_argument("--host", default=settings.BIND, help="address to listen on")
        parser.add_argument(
            "--takeover",
            action="store_true",
            help="take listening socket and connections from the edge that serves the port now; it ends then",
        )
        parser.add_argument(
            "--control",
            type=Path,
            help="Unix socket on which this edge is asked to hand over; default: DATA_DIR/edge-PORT.sock",
        )

    def handle(self, *, port: int, host: str, takeover: bool, control: Path | None, **options: Any) -> None:
        """Serve until SIGINT or SIGTERM, or until another edge has taken over."""
        if not settings.REDIS_URL:
            raise CommandError("An edge of its own needs REDIS_URL; without Redis use `manage.py serve`.")
        if not takeover:
            check_port(host, port, is_shared=True)
        from fanoutcloud.edge_asgi import edge  # composes the process: not before the port is known to be free

        path = control or settings.DATA_DIR / f"edge-{port}.sock"
        succession = make_succession(edge.plane, host=host, port=port, control=path, takes_over=takeover)
        run_server(
            edge, host=host, port=port, announcement=f"ready: edge on http://{host}:{port}", succession=succession
        )
