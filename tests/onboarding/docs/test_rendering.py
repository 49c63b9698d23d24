"""Markdown as HTML: nothing in it can do anything, links lead somewhere, examples take the reader's values."""

import pytest

from onboarding.docs.rendering import Heading, fill_in, make_anchor, render_markdown, resolve_target


def render(source: str) -> str:
    return render_markdown(source, resolve=lambda target: f"/docs/{target}").html


def test_the_title_is_apart_and_headings_have_anchors():
    text = render_markdown("# Publishing\n\nOne.\n\n## What `id` is for\n\nTwo.\n", resolve=lambda _: None)

    assert text.title == "Publishing"
    assert "<h1" not in text.html
    assert '<h2 id="what-id-is-for">' in text.html
    assert text.headings == (Heading(1, "publishing", "Publishing"), Heading(2, "what-id-is-for", "What id is for"))
    assert [(one.heading.text, one.text) for one in text.passages] == [
        ("Publishing", "One."),
        ("What id is for", "Two."),
    ]


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[a](javascript:alert(1))",
        "![a](javascript:alert(1))",
        "[a](data:text/html,x)",
        '`<b style="x">`',
        "```\n</pre><script>alert(1)</script>\n```",
    ],
)
def test_nothing_in_a_text_becomes_a_program(hostile: str):
    html = render(f"# T\n\n{hostile}\n")

    for forbidden in ("<script", "<b ", "onerror=alert(1)>", 'href="javascript', 'src="javascript', 'href="data'):
        assert forbidden not in html.replace("&lt;", "")


def test_links_are_resolved_and_those_without_a_page_stay_text():
    def resolve(target: str) -> str | None:
        return "/docs/api/publish/#items" if target == "publish.md#items" else None

    html = render_markdown("[here](publish.md#items) [source](../core/items.py) [top](#a)", resolve=resolve).html

    assert '<a href="/docs/api/publish/#items">here</a>' in html
    assert "<a>source</a>" in html
    assert '<a href="#a">top</a>' in html


def test_wide_tables_and_code_can_be_scrolled_with_the_keyboard():
    html = render("| a | b |\n|---|---|\n| 1 | 2 |\n\n    code\n")

    assert '<div class="prose-table" tabindex="0"' in html
    assert '<pre class="code-text" tabindex="0">' in html


def test_examples_take_the_readers_values_and_nothing_else_does():
    html = render("# T\n\nText with $KEY.\n\n```console\n$ curl -u $REALM:$KEY $URL/x $KEYS\n```\n")

    filled = fill_in(html, {"realm": "0a1b2c3d", "key": '<"&>'})

    assert "Text with $KEY." in filled
    assert '<span class="filled">0a1b2c3d</span>:<span class="filled">&lt;&quot;&amp;&gt;</span>' in filled
    assert '<span class="fill" data-fill="url">$URL</span>/x $KEYS' in filled


@pytest.mark.parametrize(
    ("target", "page", "path", "anchor"),
    [
        ("../topics/access.md#x", "api/publish.md", "topics/access.md", "x"),
        ("filters.md", "api/publish.md", "api/filters.md", ""),
        ("#items", "api/publish.md", "api/publish.md", "items"),
        ("../../CHANGELOG.md", "api/publish.md", "../CHANGELOG.md", ""),
    ],
)
def test_relative_links_are_read_from_where_they_stand(target: str, page: str, path: str, anchor: str):
    assert resolve_target(target, page=page) == (path, anchor)


def test_anchors_are_made_as_elsewhere():
    assert make_anchor("What can't be done, and why (`409`)") == "what-cant-be-done-and-why-409"
