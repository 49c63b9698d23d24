"""The documents of this checkout: each has a page, and every link between them leads to something."""

import os
import re
from pathlib import Path

import pytest

from onboarding.docs.library import Document, Library, render_file

ROOT = Path(__file__).resolve().parents[3]
LIBRARY = Library(ROOT / "docs")
DOCUMENTS = LIBRARY.list_documents()


def anchors_of(document: Document) -> set[str]:
    return {heading.anchor for heading in document.text.headings}


def test_every_document_has_a_page_and_a_title():
    on_disk = {path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in (ROOT / "docs").rglob("*.md")}

    assert {document.name for document in DOCUMENTS} == on_disk
    assert [document.name for document in DOCUMENTS if not document.text.title] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_between_documents_lead_to_a_page_and_its_heading(document: Document):
    own = re.findall(r'href="(/docs/[^"#]*|)(?:#([^"]+))?"', document.text.html)

    for address, anchor in own:
        name = address.removeprefix("/docs/").removesuffix("/") if address else document.name
        if not name:
            continue
        found = LIBRARY.find(name)
        assert found is not None, address
        assert not anchor or anchor in anchors_of(found), f"{address}#{anchor}"


@pytest.mark.parametrize("name", ["", "nosuch", "../README", "api/../api/publish", "api/publish.md", "/etc/passwd"])
def test_what_is_no_document_is_not_found(name: str):
    assert LIBRARY.find(name) is None


@pytest.mark.parametrize("name", ["../map.md", "nosuch.png", ""])
def test_what_is_no_picture_is_not_found(name: str):
    assert LIBRARY.find_picture(name) is None


def test_a_changed_document_is_rendered_again(tmp_path: Path):
    (tmp_path / "api").mkdir()
    path = tmp_path / "api/a.md"
    path.write_text("# One\n")
    library = Library(tmp_path)
    assert library.find("api/a").text is library.find("api/a").text  # type: ignore[union-attr]

    path.write_text("# Two\n")

    os.utime(path, ns=(1, 1))

    assert library.find("api/a").text.title == "Two"  # type: ignore[union-attr]


def test_the_changelog_is_a_text_too():
    text = render_file(ROOT / "CHANGELOG.md", 0)

    assert text.title == "Changelog"
    assert "<li>" in text.html
