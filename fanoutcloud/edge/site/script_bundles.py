"""ES modules put together into one small script: for scripts that pages load from a realm's site. Pure.

Not a bundler for any JavaScript, but for ours (static/js/fanout), which keeps to this:

- imports and exports are named, one statement each, without renaming; modules import only what stands before them;
- names at the top of modules are unique over all of them;
- what begins with `#` or `_` is known in these modules only, and so gets a short name here.
"""

import re
import string
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count, product

import rjsmin

_IMPORT = re.compile(r"^import [^;]*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:class|function|const) )", re.MULTILINE)
_EXPORT_LIST = re.compile(r"^export \{[^}]*\};\n", re.MULTILINE)
_MEMBER = re.compile(r"\.([#_][A-Za-z]\w*)")
_CONSTANT = re.compile(r"^const ([A-Z][A-Z_]+) =", re.MULTILINE)
_FIRST, _MORE = string.ascii_letters, string.ascii_letters + string.digits


def bundle_module(texts: Sequence[str], exports: Sequence[str]) -> bytes:
    """Return the modules as one that exports these names."""
    return f"{_join(texts)}\nexport{{{','.join(exports)}}};\n".encode()


def bundle_script(texts: Sequence[str], made_global: str) -> bytes:
    """Return the modules as a classic script, which leaves nothing but `made_global`: assignments to `globalThis`."""
    return f"(()=>{{{_join(texts)}\n{made_global}}})();\n".encode()


def _join(texts: Sequence[str]) -> str:
    bare = [_EXPORT_LIST.sub("", _EXPORT.sub("", _IMPORT.sub("", text))) for text in texts]
    whole: str = rjsmin.jsmin("\n".join(bare))
    constants = [name for text in bare for name in _CONSTANT.findall(text)]
    return _shorten(whole, constants)


def _shorten(text: str, constants: Sequence[str]) -> str:
    """Give internal names short ones, the most frequent the shortest."""
    names = sorted({*_MEMBER.findall(text), *constants})
    if not names:
        return text
    words = "|".join(name for name in names if not name.startswith("#"))
    fields = "|".join(name for name in names if name.startswith("#"))  # `async#name` is right, too
    pattern = re.compile(rf"(?:(?<![\w$\"'])(?:{words})|(?:{fields}))\b")
    used = set(re.findall(r"[\w$]+", text))
    fresh = (name for name in _short_names() if name not in used)
    counted = Counter(pattern.findall(text))
    short = {name: ("#" if name.startswith("#") else "$") + next(fresh) for name, _ in counted.most_common()}
    return pattern.sub(lambda match: short[match[0]], text)


def _short_names() -> Iterator[str]:
    for length in count(1):
        for letters in product(_FIRST, *[_MORE] * (length - 1)):
            yield "".join(letters)
