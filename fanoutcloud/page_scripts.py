"""ES modules of a page put together into one script, smaller and asked for once. Pure.

Each module becomes a function that is called once, after those of the modules it imports, so that its names stay its
own. For modules as static/js has them, which keep to this; `CannotJoin` tells of others:

- imports stand at the beginning of a line, are named or for their effect, from a file beside, without renaming;
- what is exported is declared in the same statement: a class, a function or a constant;
- no module imports itself, by whatever way;
- no text in backquotes goes over several lines: indentation is left out, and comments that have lines of their own.
  Nothing else is: minifiers that know less than the whole language change what is in templates within templates.

The library that customers' pages load is put together by `edge/site/script_bundles.py`, which also shortens names, and
asks more of its modules for that.
"""

import re
from collections.abc import Callable, Iterable

_IMPORT = re.compile(r'^import (?:\{(\s*\w+(?:,\s*\w+)*,?\s*)\} from )?"\./(\w+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:class|function\*?|const) (\w+))", re.MULTILINE)
_COMMENT = re.compile(r"^[ \t]*(?://[^\n]*|/\*\*.*?\*/)\n", re.MULTILINE | re.DOTALL)
_NEEDLESS_SPACE = re.compile(r"^\s+", re.MULTILINE)
_LEFT = re.compile(r"^(?:import|export)\b.*|\bimport\(.*|\bimport\.meta", re.MULTILINE)


class CannotJoin(ValueError):
    """A module is written in a way that this bundler does not know."""

    def __init__(self, module: str, problem: str) -> None:
        super().__init__(module, problem)
        self.module = module
        self.problem = problem

    def __str__(self) -> str:
        return f"static/js/{self.module}.js can't be bundled: {self.problem}"


def join_modules(entries: Iterable[str], read: Callable[[str], str]) -> str:
    """Return one script that runs the modules `entries` in this order; `read` returns the text of a module by its name.

    Raises:
        CannotJoin: see the beginning of this file.
    """
    joined: dict[str, str] = {}
    for entry in entries:
        _add(entry, read, joined, importers=())
    return "".join(joined.values())


def _add(name: str, read: Callable[[str], str], joined: dict[str, str], *, importers: tuple[str, ...]) -> None:
    """Add the module to `joined`, after those that it imports."""
    if name in joined:
        return
    if name in importers:
        raise CannotJoin(name, f"it imports itself, by way of {' and '.join(importers)}")
    text = read(name)
    for statement in _IMPORT.finditer(text):
        _add(statement[2], read, joined, importers=(*importers, name))
    joined[name] = _wrap(name, text)


def _wrap(name: str, text: str) -> str:
    exports = ", ".join(_EXPORT.findall(text))
    body = _EXPORT.sub("", _IMPORT.sub(_take, text))
    if (left := _LEFT.search(body)) is not None:
        raise CannotJoin(name, f"{left[0]!r} is not understood")
    returned = f"return {{ {exports} }};\n" if exports else ""
    if any(line.count("`") % 2 for line in body.splitlines()):
        raise CannotJoin(name, "a text in backquotes goes over several lines")
    tight = _NEEDLESS_SPACE.sub("", _COMMENT.sub("", body))
    return f"const module_{name} = (() => {{\n{tight}{returned}}})();\n"


def _take(statement: re.Match[str]) -> str:
    return f"const {{{statement[1]}}} = module_{statement[2]};\n" if statement[1] else ""
