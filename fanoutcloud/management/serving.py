"""Running this process's server: what `manage.py serve` and `manage.py edge` share."""

import contextlib
import errno
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.management.base import CommandError

from fanoutcloud.edge.server import EdgeServer, configure
from fanoutcloud.edge.takeover.succession import Delivery, Succession

if TYPE_CHECKING:
    from fanoutcloud.application import Application
    from fanoutcloud.plane import Plane


def check_port(host: str, port: int, *, is_shared: bool = False) -> None:
    """Raise CommandError if the port can't be had: said before anything is set up."""
    try:
        bind(host, port, is_shared=is_shared).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CommandError(f"Port {port} is in use; choose another, for example PORT={port + 1}.") from None
        raise CommandError(f"Port {port} of {host} can't be opened: {error.strerror}.") from None


def bind(host: str, port: int, *, is_shared: bool) -> socket.socket:
    """Return a socket with the address; a shared one can be had by other processes of this user at the same time."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def make_succession(plane: "Plane", *, host: str, port: int, control: Path, takes_over: bool) -> Succession:
    """Return what lets this edge follow another one, and be followed."""
    return Succession(
        Delivery(plane.hub, plane.broker, plane.directory),
        control,
        bind=lambda: bind(host, port, is_shared=True),
        takes_over=takes_over,
        limit_s=settings.TAKEOVER_LIMIT_S,
        say=_say,
    )


def run_server(
    app: "Application", *, host: str, port: int, announcement: str, succession: Succession | None = None
) -> None:
    """Serve until SIGINT or SIGTERM; print `announcement` when connections are accepted."""
    plane = app.plane
    config = configure(
        app,
        host=host,
        port=port,
        sites=plane.sites,
        limits=plane.limits,
        accept_at_once=app.accept_at_once,
        find_answerer=app.find_answerer,
        proxy_headers=bool(settings.TRUSTED_PROXIES),
        forwarded_allow_ips=settings.TRUSTED_PROXIES,
    )
    server = EdgeServer(
        config,
        on_ready=lambda: _say(announcement),
        drain=plane.drain,
        succession=succession,
        on_exit=plane.health.begin_draining,
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that both signals end in KeyboardInterrupt
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises the signal again once everything has ended
        server.run()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
