"""Markdown of ours as HTML that may stand in a page: headings with ids, links that lead to pages, code to copy. Pure.

The texts are our own, and are cleaned all the same: what is written in a document must not become part of a page by
mistake. Code may hold `$REALM`, `$KEY`, `$URL` and `$SITE`, which `fill_in` replaces for each reader.
"""

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

_PLACEHOLDER = re.compile(r"\$(REALM|KEY|URL|SITE)\b")
_FILL = re.compile(r'<span class="fill" data-fill="(\w+)">\$\w+</span>')
_TAGS = {
    "a", "blockquote", "br", "code", "div", "em", "h1", "h2", "h3", "h4", "hr", "img", "li", "ol", "p", "pre", "span",
    "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {
    "a": {"href"},
    "div": {"class", "tabindex", "role", "aria-label"},
    "pre": {"class", "tabindex"},
    "span": {"class", "data-fill"},
    "img": {"src", "alt"},
    "ol": {"start"},
    **{f"h{level}": {"id"} for level in range(1, 5)},
}

Resolve = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading in a text: 2 is one below the title."""

    level: int
    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class Passage:
    """What stands under one heading, as plain text: what search looks at."""

    heading: Heading
    text: str


@dataclass(frozen=True, slots=True)
class RenderedText:
    """A text as HTML without its title, and what is in it."""

    title: str
    html: str
    headings: tuple[Heading, ...]
    passages: tuple[Passage, ...]


def render_markdown(source: str, *, resolve: Resolve) -> RenderedText:
    """Return the text as HTML. `resolve` gives the address for a link's target, or None for a target without a page."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("fence", _render_code)
    parser.add_render_rule("code_block", _render_code)
    parser.add_render_rule(
        "table_open", lambda *_: '<div class="prose-table" tabindex="0" role="group" aria-label="Table"><table>'
    )
    parser.add_render_rule("table_close", lambda *_: "</table></div>")
    tokens = parser.parse(source)
    headings = _mark_headings(tokens)
    for token in tokens:
        _resolve_links(token.children or [], resolve)
    title = headings[0].text if headings and headings[0].level == 1 else ""
    body = tokens[3:] if title else tokens  # a heading is three tokens
    html = parser.renderer.render(body, parser.options, {})
    cleaned = nh3.clean(
        html, tags=_TAGS, attributes=_ATTRIBUTES, link_rel=None, url_schemes={"http", "https", "mailto"}
    )
    return RenderedText(title, cleaned, tuple(headings), tuple(_passages(tokens, headings)))


def fill_in(html: str, values: Mapping[str, str]) -> str:
    """Return the HTML with the reader's own values in its code; a placeholder without a value stays."""

    def put(match: re.Match[str]) -> str:
        value = values.get(match[1])
        return match[0] if value is None else f'<span class="filled">{escape(value)}</span>'

    return _FILL.sub(put, html)


def make_anchor(text: str) -> str:
    """Return a heading's id, as other places that show Markdown make it: links between documents rely on it."""
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")


def resolve_target(target: str, *, page: str) -> tuple[str, str]:
    """Return the path that a relative link on the document `page` names, from the root of all, and its anchor."""
    path, _, anchor = target.partition("#")
    return (posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page), anchor


def _render_code(renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    text = escape(tokens[index].content, quote=False)
    text = _PLACEHOLDER.sub(lambda m: f'<span class="fill" data-fill="{m[1].lower()}">{m[0]}</span>', text)
    return f'<div class="code prose-code"><pre class="code-text" tabindex="0">{text}</pre></div>\n'


def _mark_headings(tokens: list[Token]) -> list[Heading]:
    headings: list[Heading] = []
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            text = _plain(inline)
            anchor = make_anchor(text)
            opening.attrSet("id", anchor)
            headings.append(Heading(int(opening.tag[1]), anchor, text))
    return headings


def _resolve_links(tokens: list[Token], resolve: Resolve) -> None:
    for token in tokens:
        name = {"link_open": "href", "image": "src"}.get(token.type)
        if name is None:
            continue
        target = str(token.attrGet(name) or "")
        if re.match(r"[a-z]+:", target):
            continue
        address = target if target.startswith(("/", "#")) else resolve(target)
        if address is None:
            del token.attrs[name]  # a file of the source that has no page: its name stays as text
        else:
            token.attrSet(name, address)


def _passages(tokens: list[Token], headings: list[Heading]) -> list[Passage]:
    places = iter(headings)
    found: list[tuple[Heading, list[str]]] = []
    for token in tokens:
        if token.type == "heading_open":
            found.append((next(places), []))
        elif found and token.type in ("inline", "fence", "code_block"):
            found[-1][1].append(_plain(token))
    return [Passage(heading, " ".join(" ".join(texts[1:]).split())) for heading, texts in found]


def _plain(token: Token) -> str:
    if token.children is None:
        return token.content
    return "".join(" " if child.type in ("softbreak", "hardbreak") else child.content for child in token.children)
