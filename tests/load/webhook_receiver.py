"""A quick receiver of webhooks as a process of its own: prints its port, ends with its standard input.

Whoever calls `/hang` waits for ever, and whoever calls `/slow` for a while.
"""

import ssl
import sys

from tests.servers.webhook_sink import running_sink

BEHAVIOURS = {"/hang": "hang", "/slow": "slow"}


def main(certificate: str) -> None:
    """Answer 200 to everything; `certificate` is a PEM file with its key, or empty: no TLS."""
    tls = None
    if certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
    with running_sink(lambda request: BEHAVIOURS.get(request.path, 200), tls=tls) as sink:
        sink.keeps = False
        print(sink.port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
