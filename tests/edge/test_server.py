"""How a server ends."""

import signal

from fanoutcloud.core.own_hosts import OwnHosts
from fanoutcloud.edge.connections.sinks import Receive, Scope, Send
from fanoutcloud.edge.limits import EdgeLimits
from fanoutcloud.edge.server import EdgeServer, configure
from fanoutcloud.edge.site.sites import SiteNames


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that is never asked."""


def test_the_first_thing_that_happens_at_the_end_is_that_it_is_said():
    said: list[bool] = []
    config = configure(nothing, host="127.0.0.1", port=0, sites=SiteNames(OwnHosts("localhost")), limits=EdgeLimits())
    server = EdgeServer(config, on_exit=lambda: said.append(server.should_exit))

    server.handle_exit(signal.SIGTERM, None)

    assert said == [False]
    assert server.should_exit
