"""ES modules put together into one small script: for scripts that pages load from a realm's site. Pure.

Not a bundler for any JavaScript, but for ours (static/js/fanout), which keeps to this:

- imports and exports are named, one statement each, without renaming; modules import only what stands before them;
- names at the top of modules are unique over all of them;
- every statement that is no block ends with a semicolon, and none is empty: no `while (more());`;
- what begins with `#` or `_` is known in these modules only, and so gets a short name here; as do names at the top with
  a capital letter, which no text has in it.
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from itertools import count, product

import rjsmin

_IMPORT = re.compile(r"^import [^;]*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:class|function|const) )", re.MULTILINE)
_EXPORT_LIST = re.compile(r"^export \{[^}]*\};\n", re.MULTILINE)
_NEEDLESS = re.compile(
    r"""(?P<literal>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`)|,(?=[})\]])|;(?=\})|(?<=[};)])\n"""
)
_MEMBER = re.compile(r"\.([#_][A-Za-z]\w*)")
_TOP = re.compile(r"^(?:export )?(?:async )?(?:class|function|const) (\w*[A-Z]\w*)", re.MULTILINE)
_FIRST, _MORE = string.ascii_letters, string.ascii_letters + string.digits


class Bundler:
    """Puts modules together. Internal names are the same in all bundles, so that these can work with each other."""

    def __init__(self, texts: Mapping[str, str], public: Iterable[str]) -> None:
        """`texts` are the modules by their names, `public` what any bundle exports."""
        self._texts = {name: _tighten(rjsmin.jsmin(_bare(text))) for name, text in texts.items()}
        top = {name for text in texts.values() for name in _TOP.findall(text)} - set(public)
        self._shorten = _make_shortener("\n".join(self._texts.values()), top)

    def module(self, names: Sequence[str], exports: Sequence[str], *, imports: str = "") -> bytes:
        """Return these modules as one with these exports; `imports` stands before them."""
        return f"{imports}{self._join(names)}\nexport{{{','.join(exports)}}};\n".encode()

    def script(self, names: Sequence[str], made_global: str) -> bytes:
        """Return these as a classic script, which leaves nothing but `made_global`: assignments to `globalThis`."""
        return f"(()=>{{{self._join(names)}\n{made_global}}})();\n".encode()

    def _join(self, names: Sequence[str]) -> str:
        return self._shorten("\n".join(self._texts[name] for name in names))


def _bare(text: str) -> str:
    return _EXPORT_LIST.sub("", _EXPORT.sub("", _IMPORT.sub("", text)))


def _tighten(text: str) -> str:
    """Leave out what `rjsmin` keeps for scripts with less order: last commas and semicolons, ends of lines."""
    return _NEEDLESS.sub(lambda match: match["literal"] or "", text)


def _make_shortener(text: str, top: Set[str]) -> Callable[[str], str]:
    """Return what gives internal names short ones, the most frequent in `text` the shortest."""
    names = sorted({*_MEMBER.findall(text), *top})
    if not names:
        return lambda text: text
    words = "|".join(name for name in names if not name.startswith("#"))
    members = "|".join(name for name in names if name.startswith("_"))
    fields = "|".join(name for name in names if name.startswith("#"))  # `async#name` is right, too
    pattern = re.compile(rf"(?:(?<![\w$\"'])(?<!(?<!\.)\.)(?:{words})|(?<=\.)(?:{members})|(?:{fields}))\b")
    used = set(re.findall(r"[\w$]+", text))
    fresh = (name for name in _short_names() if name not in used)
    counted = Counter(pattern.findall(text))
    short = {name: ("#" if name.startswith("#") else "$") + next(fresh) for name, _ in counted.most_common()}
    return lambda text: pattern.sub(lambda match: short[match[0]], text)


def _short_names() -> Iterator[str]:
    for length in count(1):
        for letters in product(_FIRST, *[_MORE] * (length - 1)):
            yield "".join(letters)
