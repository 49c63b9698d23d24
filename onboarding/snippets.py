"""Programs of a few lines that publish to a channel, with the reader's own realm, key and address in them.

Each runs as it stands: pasted into a shell, or saved as a file. tests/browser runs them against a live server.
"""

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from string import Template
from urllib.parse import quote

from onboarding import snippet_texts as texts


@dataclass(frozen=True, slots=True)
class Snippet:
    """One program: the name of its tab, how to run it, and its text, which holds the key."""

    slug: str
    name: str
    how: str
    text: str = field(repr=False)


def build_snippets(
    *, realm: str, key: str, url: str, channel: str, text: str = "Hello from {language}"
) -> list[Snippet]:
    """Return the same publish in each language. Values are quoted by each language's own rules."""

    def fill(template: Template, language: str, quoted: Callable[[str], str]) -> str:
        given = {"realm": realm, "key": key, "url": url, "channel": channel, "text": text.format(language=language)}
        body = {"items": [{"channel": channel, "json-object": {"text": given["text"]}}]}
        given["body"] = json.dumps(body, ensure_ascii=False)
        return template.substitute({name: quoted(value) for name, value in given.items()})

    curl = build_publish_command(realm=realm, key=key, url=url, channel=channel, text=text.format(language="curl"))
    return [
        Snippet("curl", "curl", "Paste it into a terminal", curl),
        *(
            Snippet(slug, name, how, fill(template, name, quoted))
            for slug, name, how, template, quoted in (
                ("python", "Python", "Save it as publish.py and run python3 publish.py", texts.PYTHON, _double_quoted),
                ("javascript", "JavaScript", "Deno, Bun or Node.js ≥ 18: publish.js", texts.JAVASCRIPT, _double_quoted),
                ("node", "Node", "Save it as publish.cjs and run node publish.cjs", texts.NODE, _double_quoted),
                ("php", "PHP", "Save it as publish.php and run php publish.php", texts.PHP, _single_quoted),
                ("ruby", "Ruby", "Save it as publish.rb and run ruby publish.rb", texts.RUBY, _single_quoted),
                ("go", "Go", "Save it as publish.go and run go run publish.go", texts.GO, _double_quoted),
                ("java", "Java", "Save it as Publish.java and run java Publish.java", texts.JAVA, _double_quoted),
            )
        ),
    ]


def build_listen_page(*, site: str, channel: str) -> str:
    """Return the lines of HTML by which a page listens to `channel`."""
    url = json.dumps(f"{site}/fanout/sse?channel={quote(channel, safe='')}").replace("</", "<\\/")
    return texts.LISTEN.substitute(url=url)


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
    body = json.dumps({"items": [item]}, separators=(",", ":"))
    channel = json.dumps(item["channel"])
    # Broken after the channel, so that a line fits where it is shown; JSON does not mind.
    data = shlex.quote(body.replace(f'"channel":{channel},', f'"channel":{channel},\n       ', 1))
    return f"curl -u {shlex.quote(f'{realm}:{key}')} \\\n  -d {data} \\\n  {shlex.quote(url)}\n"


def _double_quoted(value: str) -> str:
    """Return a literal of Python, JavaScript, Go and Java: JSON's are, as long as nothing needs a pair of escapes."""
    return json.dumps(value, ensure_ascii=False)


def _single_quoted(value: str) -> str:
    """Return a literal of PHP and Ruby in which nothing is put in for names."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
