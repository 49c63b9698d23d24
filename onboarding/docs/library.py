"""The documents in `docs/` of the checkout that have pages, rendered once for as long as the file stays as it is."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from onboarding.docs.rendering import RenderedText, render_markdown, resolve_target

#: Folder → what its list is called. In this order.
SECTIONS = {
    "api": "Reference",
    "howto": "How to",
    "topics": "How and why",
    "decisions": "Decisions",
}
#: Documents at the top, which stand in a section of their own.
MORE = ("clients", "map")
MORE_TITLE = "More"
PICTURES = (".svg", ".png")


@dataclass(frozen=True, slots=True)
class Document:
    """One text; `name` is its path without the ending, such as `api/publish`."""

    name: str
    text: RenderedText


@dataclass(frozen=True, slots=True)
class Section:
    """A list of documents with a heading."""

    title: str
    documents: tuple[Document, ...]


class Library:
    """All documents under one folder. Cheap to make; what is rendered is shared."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, name: str) -> Document | None:
        """Return a document, or None if there is none of that name."""
        return self._load(name) if name in self._names() else None

    def list_sections(self) -> list[Section]:
        """Return all documents by section."""
        names = self._names()
        grouped = [(title, [n for n in names if n.startswith(f"{folder}/")]) for folder, title in SECTIONS.items()]
        grouped.append((MORE_TITLE, [name for name in names if "/" not in name]))
        return [Section(title, tuple(self._load(name) for name in group)) for title, group in grouped if group]

    def list_documents(self) -> list[Document]:
        """Return all documents, in the order of the sections."""
        return [document for section in self.list_sections() for document in section.documents]

    def find_picture(self, name: str) -> Path | None:
        """Return a picture that documents show, or None."""
        pictures = {path.name: path for path in (self._folder / "img").glob("*") if path.suffix in PICTURES}
        return pictures.get(name)

    def address_of(self, target: str, *, page: str) -> str | None:
        """Return the address that a link on the document `page` leads to, or None if nothing of ours has it."""
        path, anchor = resolve_target(target, page=f"{page}.md")
        fragment = f"#{anchor}" if anchor else ""
        if path == "../CHANGELOG.md":
            return f"/changelog/{fragment}"
        if path.startswith("img/") and self.find_picture(path[4:]):
            return f"/docs/{path}"
        name = path.removesuffix(".md")
        if path.endswith(".md") and name in self._names():
            return f"/docs/{name}/{fragment}"
        return "/docs/" if path in SECTIONS or path == "." else None

    def _names(self) -> list[str]:
        in_folders = [f"{folder}/{path.stem}" for folder in SECTIONS for path in self._listed(folder)]
        return in_folders + [name for name in MORE if (self._folder / f"{name}.md").is_file()]

    def _listed(self, folder: str) -> list[Path]:
        return sorted((self._folder / folder).glob("*.md"))

    def _load(self, name: str) -> Document:
        path = self._folder / f"{name}.md"
        return Document(name, _render(self, name, path, path.stat().st_mtime_ns))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Library) and other._folder == self._folder

    def __hash__(self) -> int:
        return hash(self._folder)


@lru_cache(maxsize=500)
def _render(library: Library, name: str, path: Path, changed_ns: int) -> RenderedText:
    return render_markdown(path.read_text(), resolve=lambda target: library.address_of(target, page=name))


@lru_cache(maxsize=4)
def render_file(path: Path, changed_ns: int) -> RenderedText:
    """Return a text beside the library, such as the changelog. Links to documents lead to their pages."""
    library = Library(path.parent / "docs")
    return render_markdown(
        path.read_text(), resolve=lambda target: library.address_of(target.removeprefix("docs/"), page="index")
    )
