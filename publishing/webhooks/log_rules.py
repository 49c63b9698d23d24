"""What of a call is not written into the log: credentials, and what looks like an e-mail address. Pure.

The log is read by everybody in a realm, and kept for days; what is cut here is cut before it is stored.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

Pairs = list[tuple[str, str]]

CUT = "…"
#: A shorter value of a header is no secret, and may stand in any text.
MIN_SECRET_CHARACTERS = 8
#: In the names of headers whose values may be credentials, of whichever side.
_SECRET_NAMES = ("authorization", "token", "secret", "key", "cookie", "password", "credential", "session")
#: Written with words at both sides, however odd: a log that cuts too much hurts less than one that cuts too little.
_EMAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")


def cut_headers(headers: Sequence[tuple[str, str]], hidden: Sequence[tuple[str, str]] = ()) -> Pairs:
    """Return headers as they are logged. Values of those in `hidden` are cut under whatever name they come."""
    if not hidden:
        return [(name, CUT if _is_secret(name) else cut_text(value)) for name, value in headers]
    names = {name.lower() for name, _ in hidden}
    return [
        (name, CUT if _is_secret(name) or name.lower() in names else cut_text(value, hidden)) for name, value in headers
    ]


def cut_text(text: str, hidden: Sequence[tuple[str, str]] = ()) -> str:
    """Return a text without what looks like e-mail addresses, and without values of `hidden` that may be secrets."""
    for _, value in hidden:
        if len(value) >= MIN_SECRET_CHARACTERS:
            text = text.replace(value, CUT)
    return _EMAIL.sub(f"{CUT}@{CUT}", text) if "@" in text else text


@lru_cache(maxsize=1_024)
def _is_secret(name: str) -> bool:
    lowered = name.lower()
    return any(word in lowered for word in _SECRET_NAMES)
