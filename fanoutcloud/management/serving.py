"""Running this process's server: what `manage.py serve` and `manage.py edge` share."""

import contextlib
import errno
import signal
import socket
import sys
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.management.base import CommandError

from fanoutcloud.edge.server import EdgeServer, configure

if TYPE_CHECKING:
    from fanoutcloud.asgi import Application  # importing it composes the process


def check_port(host: str, port: int) -> None:
    """Raise CommandError if the port can't be had: said before anything is set up."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise CommandError(f"Port {port} is in use; choose another, for example PORT={port + 1}.") from None
            raise CommandError(f"Port {port} of {host} can't be opened: {error.strerror}.") from None


def run_server(app: "Application", *, host: str, port: int, announcement: str) -> None:
    """Serve until SIGINT or SIGTERM; print `announcement` when connections are accepted."""
    plane = app.plane
    config = configure(
        app,
        host=host,
        port=port,
        sites=plane.sites,
        limits=plane.limits,
        proxy_headers=bool(settings.TRUSTED_PROXIES),
        forwarded_allow_ips=settings.TRUSTED_PROXIES,
    )
    server = EdgeServer(config, on_ready=lambda: _say(announcement), drain=plane.drain)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that both signals end in KeyboardInterrupt
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises the signal again once everything has ended
        server.run()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
