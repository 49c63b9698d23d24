"""Secrets that a fresh checkout makes for itself, so that it starts without any variable set."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def read_or_create(path: Path, make: Callable[[], str]) -> str:
    """Return the text in `path`; if there is none, first store what `make` returns, for its owner only.

    Safe when several processes start at once: the first to store wins and all return the same text.
    """
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        _create(path, make())
        return path.read_text(encoding="ascii").strip()


def _create(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text + "\n")
        os.link(draft, path)  # unlike a rename, this fails when another process was first
    except FileExistsError:
        pass
    finally:
        os.unlink(draft)
