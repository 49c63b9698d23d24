"""`https://api.fanout.io` for clients whose address is fixed, without touching the hosts file (the old API, §15).

A proxy that is asked to CONNECT ends TLS itself, with a certificate of a private authority, and passes the bytes on to
the product. Programs that know no proxies connect to it directly: it takes both.
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

HOST = "api.fanout.io"


@dataclass(frozen=True, slots=True)
class ApiHost:
    """Where it is, and the authority to trust."""

    port: int
    authority: Path

    @property
    def proxy(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serve_api_host(product_port: int, folder: Path) -> Iterator[ApiHost]:
    """Serve until the block ends."""
    authority = trustme.CA()
    file = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(HOST).configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_accept, args=(listener, context, product_port), daemon=True)
        thread.start()
        yield ApiHost(listener.getsockname()[1], file)
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def _accept(listener: socket.socket, context: ssl.SSLContext, product_port: int) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(client, context, product_port), daemon=True).start()


def _serve(client: socket.socket, context: ssl.SSLContext, product_port: int) -> None:
    with contextlib.suppress(OSError), client:
        if client.recv(1, socket.MSG_PEEK) == b"C":  # CONNECT; a TLS handshake begins with 0x16
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += client.recv(1)
            assert head.startswith(f"CONNECT {HOST}:443 ".encode()), head
            client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        with (
            context.wrap_socket(client, server_side=True) as secure,
            socket.create_connection(("127.0.0.1", product_port)) as product,
        ):
            back = threading.Thread(target=_pipe, args=(product, secure), daemon=True)
            back.start()
            _pipe(secure, product)
            back.join()


def _pipe(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
