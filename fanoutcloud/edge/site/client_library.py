"""`/fanout/fanout.js` and what belongs to it: our library for pages, from the site that it subscribes to.

The source is static/js/fanout, as npm has it; docs/api/fanout-js.md tells what is served under which name.
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.edge.connections.sinks import Receive, Scope, Send
from fanoutcloud.edge.site.responses import Headers, respond
from fanoutcloud.edge.site.script_bundles import Bundler

SOURCE = Path(__file__).resolve().parents[3] / "static" / "js" / "fanout"
#: In the order in which they need each other.
MODULES = (
    "errors", "emitter", "deltas", "channel", "channels", "outbox", "socket", "requests", "race", "token", "page",
    "places", "fanout",
)  # fmt: skip
#: Scripts of their own: one that fanout.js loads when it is wanted, one for pages that were written for Pollymer.
APART = ("share", "pollymer")

_EXPORTS = ("Fanout", "FanoutError")
_TAB_EXPORTS = ("TabLink",)
_POLLYMER_EXPORTS = ("Pollymer", "Request", "ErrorTypes", "TransportTypes")

_SCRIPT = b"text/javascript; charset=utf-8"
_TYPES = b"text/plain; charset=utf-8"
#: Unlike the answers that are data, these may be run by any page, and kept for a while.
_HEADERS: Headers = [
    (b"access-control-allow-origin", b"*"),
    (b"cache-control", b"public, max-age=3600, stale-while-revalidate=86400"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"vary", b"accept-encoding"),
    (b"x-content-type-options", b"nosniff"),
]


@dataclass(frozen=True, slots=True)
class ServedFile:
    """A file, plain and compressed, and its name for caches."""

    content_type: bytes
    plain: bytes
    packed: bytes
    etag: bytes


class ClientLibrary:
    """Serves the library's files. They are put together when the first of them is asked for."""

    PATHS = (
        "/fanout/fanout.js",
        "/fanout/fanout.global.js",
        "/fanout/share.js",
        "/fanout/pollymer.js",
        "/fanout/pollymer.module.js",
        "/fanout/fanout.d.ts",
        "/fanout/pollymer.d.ts",
    )

    @cached_property
    def files(self) -> dict[str, ServedFile]:
        """Each file by its path."""
        texts = {name: (SOURCE / f"{name}.js").read_text() for name in MODULES + APART}
        bundler = Bundler(texts, (*_EXPORTS, *_TAB_EXPORTS, *_POLLYMER_EXPORTS))
        contents = (
            (_SCRIPT, bundler.module(MODULES, _EXPORTS)),
            (_SCRIPT, bundler.script(MODULES, "Object.assign(globalThis,{Fanout,FanoutError});")),
            (_SCRIPT, bundler.module(["share"], _TAB_EXPORTS, imports='import{FanoutError}from"./fanout.js";')),
            (_SCRIPT, bundler.script(["pollymer"], "globalThis.Pollymer=Pollymer;")),
            (_SCRIPT, bundler.module(["pollymer"], _POLLYMER_EXPORTS)),
            (_TYPES, (SOURCE / "fanout.d.ts").read_bytes()),
            (_TYPES, (SOURCE / "pollymer.d.ts").read_bytes()),
        )
        return {path: _prepare(*content) for path, content in zip(self.PATHS, contents, strict=True)}

    async def serve(self, path: str, realm: RealmSnapshot, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request for the file of this path; 304 where the page has it already."""
        file, asked = self.files[path], dict(scope["headers"])
        headers: Headers = [(b"etag", file.etag), (b"content-type", file.content_type)]
        if file.etag in asked.get(b"if-none-match", b""):
            await respond(send, 304, b"", headers=headers, site_headers=_HEADERS)
        elif b"gzip" in asked.get(b"accept-encoding", b""):
            headers.append((b"content-encoding", b"gzip"))
            await respond(send, 200, file.packed, headers=headers, site_headers=_HEADERS)
        else:
            await respond(send, 200, file.plain, headers=headers, site_headers=_HEADERS)


def _prepare(content_type: bytes, content: bytes) -> ServedFile:
    etag = b'"%b"' % hashlib.sha256(content).hexdigest()[:20].encode()
    return ServedFile(content_type, content, gzip.compress(content, 9, mtime=0), etag)
