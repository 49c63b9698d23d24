"""JSON-P: an answer as a script that calls a function of the page, for browsers without other ways across origins.

Only names and the two shapes that old clients use are called, so that no answer can be made to run anything else.
"""

import re

from fanoutcloud.core.errors import InvalidRequest

SCRIPT = (b"content-type", b"application/javascript; charset=utf-8")
MAX_CALLBACK_CHARACTERS = 200
_NAME = r"[A-Za-z_$][A-Za-z0-9_$]*"
_CALLBACK = re.compile(
    rf"""(?:{_NAME}(?:\.{_NAME})*
    |fo_jsonp_get_callback\("[0-9]{{1,10}}"\)
    |window\["D3DDFE2A-6E6D-47A7-8F3B-0A4A8E71A796"\]\.getJsonpCallback\("cb-[0-9]{{1,10}}"\)
    )\Z""",
    re.VERBOSE,
)


def check_callback(text: str, *, field: str = "callback") -> str:
    """Return `text` if it is a callback that may be called.

    Raises:
        InvalidRequest: it is anything but a dotted name, or one of the shapes of the old FPP script and of Pollymer.
    """
    if len(text) > MAX_CALLBACK_CHARACTERS or not _CALLBACK.match(text):
        raise InvalidRequest("this is no callback", cure="name a function, such as window.receive", field=field)
    return text


def write_script(callback: str, json: bytes) -> bytes:
    """Return the script that calls `callback` with the JSON value; line separators of Unicode end no string in it."""
    escaped = json.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")
    return b"/**/%b(%b);\n" % (callback.encode(), escaped)
