"""Programs of a few lines that publish to a channel, with the reader's own realm, key and address in them.

Each runs as it stands: pasted into a shell, or saved as a file. tests/browser runs them against a live server.
"""

import json
import shlex
from dataclasses import dataclass, field
from string import Template


@dataclass(frozen=True, slots=True)
class Snippet:
    """One program: the name of its tab, how to run it, and its text, which holds the key."""

    slug: str
    name: str
    how: str
    text: str = field(repr=False)


_PYTHON = Template("""\
import base64
import json
import urllib.request

realm = $realm
key = $key

request = urllib.request.Request(
    $url,
    data=json.dumps({"items": [{"channel": $channel, "json-object": {"text": "Hello from Python"}}]}).encode(),
    headers={
        "Authorization": "Basic " + base64.b64encode(f"{realm}:{key}".encode()).decode(),
        "Content-Type": "application/json",
    },
)
print(urllib.request.urlopen(request).read().decode())
""")

_JAVASCRIPT = Template("""\
const realm = $realm;
const key = $key;

fetch($url, {
  method: "POST",
  headers: {
    Authorization: "Basic " + btoa(realm + ":" + key),
    "Content-Type": "application/json",
  },
  body: JSON.stringify({
    items: [{ channel: $channel, "json-object": { text: "Hello from JavaScript" } }],
  }),
}).then(async (answer) => console.log(answer.status, await answer.text()));
""")


def build_snippets(*, realm: str, key: str, url: str, channel: str) -> list[Snippet]:
    """Return the same publish in each language. Values are quoted by each language's own rules."""
    curl = build_publish_command(realm=realm, key=key, url=url, channel=channel, text="Hello from curl")
    # JSON text is a valid literal in both languages, as long as nothing needs a pair of escapes.
    given = {"realm": realm, "key": key, "url": url, "channel": channel}
    values = {name: json.dumps(value, ensure_ascii=False) for name, value in given.items()}
    return [
        Snippet("curl", "curl", "Paste it into a terminal", curl),
        Snippet("python", "Python", "Save it as publish.py and run python3 publish.py", _PYTHON.substitute(values)),
        Snippet(
            "javascript", "JavaScript", "Save it as publish.js and run node publish.js", _JAVASCRIPT.substitute(values)
        ),
    ]


def build_publish_command(*, realm: str, key: str, url: str, channel: str, text: str) -> str:
    """Return the shell command that publishes `text` to `channel`."""
    return _curl(realm, key, url, {"channel": channel, "json-object": {"text": text}})


def build_listen_command(*, site: str, channel: str) -> str:
    """Return the shell command that subscribes to `channel` and prints each item as it arrives."""
    return f"curl -N {shlex.quote(f'{site}/fanout/stream?channel={channel}')}"


def build_push_command(*, realm: str, key: str, url: str, channel: str) -> str:
    """Return the shell command that pushes a line to everybody whose request is held on `channel`."""
    return _curl(realm, key, url, {"channel": channel, "http-stream": {"content": "Hello from your server\n"}})


def _curl(realm: str, key: str, url: str, item: dict[str, object]) -> str:
    data = shlex.quote(json.dumps({"items": [item]}, separators=(",", ":")))
    return f"curl -u {shlex.quote(f'{realm}:{key}')} \\\n  -d {data} \\\n  {shlex.quote(url)}\n"
