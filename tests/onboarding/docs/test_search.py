"""Finding passages by their words."""

import pytest

from onboarding.docs.library import Document
from onboarding.docs.rendering import render_markdown
from onboarding.docs.search import MAX_HITS, search


def document(name: str, source: str) -> Document:
    return Document(name, render_markdown(source, resolve=lambda _: None))


SHELF = [
    document("api/publish", "# Publishing\n\nSend items.\n\n## Sizes\n\nAn item over the limit is refused with 413.\n"),
    document(
        "api/subscribe", "# Subscribing\n\n## Resume\n\nCome back with a position.\n\n## Close codes\n\nResume later.\n"
    ),
    document("decisions/0001-resume", "# Resume\n\nWe weighed how to resume.\n"),
]


def places(query: str) -> list[str]:
    return [f"{hit.document.name}#{hit.passage.heading.anchor}" for hit in search(SHELF, query)]


def test_headings_count_more_than_text_and_decisions_less_than_reference():
    assert places("resume") == ["api/subscribe#resume", "decisions/0001-resume#resume", "api/subscribe#close-codes"]


def test_all_words_must_be_there_and_beginnings_will_do():
    assert places("item lim") == ["api/publish#sizes"]
    assert places("item nowhere") == []
    assert places("413") == ["api/publish#sizes"]


def test_the_word_itself_counts_more_than_words_that_begin_with_it():
    shelf = [document("api/a", "# Libraries\n\nA client, two clients.\n"), document("api/b", "# Tools\n\nThe CLI.\n")]

    assert [hit.document.name for hit in search(shelf, "cli")] == ["api/b", "api/a"]


def test_how_to_use_something_comes_before_why_it_is_so_and_a_documents_name_counts():
    shelf = [
        document("topics/deploys", "# Rolling\n\nA deploy.\n"),
        document("howto/deploy", "# Servers\n\nA deploy.\n"),
    ]

    assert [hit.document.name for hit in search(shelf, "deploy")] == ["howto/deploy", "topics/deploys"]


@pytest.mark.parametrize("query", ["", "   ", "???", "(", "[a"])
def test_a_query_without_words_finds_nothing_and_breaks_nothing(query: str):
    assert search(SHELF, query) == [] or query == "[a"


def test_an_excerpt_shows_where_the_words_are():
    [hit] = search(SHELF, "413")

    assert [piece.text for piece in hit.excerpt if piece.is_hit] == ["413"]
    assert "".join(piece.text for piece in hit.excerpt) == "An item over the limit is refused with 413."


def test_there_is_an_end_to_what_is_shown():
    many = [document(f"api/{number}", "# Word\n\nword\n") for number in range(MAX_HITS + 5)]

    assert len(search(many, "word")) == MAX_HITS
