"""Looking for words in the documents. They are some hundred passages, so each is looked at: no index to keep."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from onboarding.docs.library import Document
from onboarding.docs.rendering import Passage

MAX_QUERY_CHARACTERS = 100
MAX_WORDS = 8
MAX_HITS = 20
#: Characters of a passage that a hit shows.
EXCERPT_CHARACTERS = 180

#: Folder → how much less its documents matter than those that say what there is and how to use it: they say why.
_BEHIND = {"topics": 1.5, "decisions": 3}
_WORD = re.compile(r"[\w$-]+")


@dataclass(frozen=True, slots=True)
class Piece:
    """A bit of a passage; `is_hit` if it is what was looked for."""

    text: str
    is_hit: bool


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that holds all words."""

    document: Document
    passage: Passage
    excerpt: tuple[Piece, ...]


def search(documents: Iterable[Document], query: str) -> list[Hit]:
    """Return the passages that hold every word of the query, or a word that begins with it; the best first."""
    words = [word.lower() for word in _WORD.findall(query[:MAX_QUERY_CHARACTERS])][:MAX_WORDS]
    if not words:
        return []
    patterns = [re.compile(rf"(?<![^\W_]){re.escape(word)}", re.IGNORECASE) for word in words]
    whole = [re.compile(pattern.pattern + r"(?![^\W_])", re.IGNORECASE) for pattern in patterns]
    scored = [
        (score, document, passage)
        for document in documents
        for passage in document.text.passages
        if (score := _score(document, passage, list(zip(patterns, whole, strict=True))))
    ]
    scored.sort(key=lambda found: -found[0])
    return [Hit(document, passage, _excerpt(passage.text, patterns)) for _, document, passage in scored[:MAX_HITS]]


def _score(document: Document, passage: Passage, patterns: list[tuple[re.Pattern[str], re.Pattern[str]]]) -> float:
    """Return how good a passage is, 0 if a word is missing: words in headings count more than many in the text.

    Each word is two patterns, for words that begin with it and for the word itself, which counts twice as much.
    """
    score = 0.0
    for words in patterns:
        begun, whole = (_count(document, passage, pattern) for pattern in words)
        if not begun:
            return 0.0
        score += begun + 2 * whole
    return score / _BEHIND.get(document.name.partition("/")[0], 1)


def _count(document: Document, passage: Passage, pattern: re.Pattern[str]) -> int:
    name = document.name.rpartition("/")[2]
    in_title = bool(pattern.search(document.text.title) or pattern.search(name))
    return min(len(pattern.findall(passage.text)), 5) + 8 * bool(pattern.search(passage.heading.text)) + 3 * in_title


def _excerpt(text: str, patterns: list[re.Pattern[str]]) -> tuple[Piece, ...]:
    first = min((match.start() for pattern in patterns if (match := pattern.search(text))), default=0)
    start = max(0, first - EXCERPT_CHARACTERS // 3)
    start = text.rfind(" ", 0, start) + 1 if start else 0
    shown = text[start : start + EXCERPT_CHARACTERS]
    any_word = re.compile("|".join(f"(?:{pattern.pattern})" for pattern in patterns), re.IGNORECASE)
    pieces, at = [Piece("… ", is_hit=False)] if start else [], 0
    for match in any_word.finditer(shown):
        pieces += [Piece(shown[at : match.start()], is_hit=False), Piece(match[0], is_hit=True)]
        at = match.end()
    pieces.append(Piece(shown[at:] + ("…" if start + EXCERPT_CHARACTERS < len(text) else ""), is_hit=False))
    return tuple(piece for piece in pieces if piece.text)
