"""Answers the question whether a custom domain is still its realm's, for as long as the name leads here."""

from fanoutcloud.edge.connections.sinks import Scope, Send
from fanoutcloud.edge.site.responses import respond
from fanoutcloud.edge.site.sites import Site

CHALLENGE_PATH = "/.well-known/fanout-challenge/"


def is_challenge(site: Site, scope: Scope) -> bool:
    """Tell whether a request asks for the proof of the very domain that it came to.

    Only a domain that has been proven is one of a site, so that nothing is proven by this that was not before.
    """
    domain = site.domain
    if domain is None or not domain.challenge or scope["type"] != "http":
        return False
    return site.path == CHALLENGE_PATH + domain.challenge and scope["method"] in ("GET", "HEAD")


async def answer_challenge(site: Site, scope: Scope, send: Send) -> None:
    """Answer with the proof. Call if `is_challenge`."""
    assert site.domain is not None
    body = b"" if scope["method"] == "HEAD" else site.domain.challenge.encode() + b"\n"
    await respond(send, 200, body, headers=[(b"content-type", b"text/plain; charset=utf-8")])
