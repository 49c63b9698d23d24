"""Which items a refused publish was about, so that whoever asks for one of them later finds the refusal."""

import re

MAX_IDS = 20
MAX_ID_CHARACTERS = 128
#: How much of a body is looked at: a refusal has to be cheap.
MAX_BYTES = 16_384
#: A body that was refused need not be JSON: it is searched as text. Ids with escapes in them are passed over.
_ID = re.compile(rb'"id"\s*:\s*"([^"\\\x00-\x1f]{1,%d})"' % MAX_ID_CHARACTERS)


def find_named_ids(body: bytes) -> tuple[str, ...]:
    """Return the values of members that are called `id`, in their order, each once."""
    found: dict[str, None] = {}
    for match in _ID.finditer(body[:MAX_BYTES]):
        found[match[1].decode("utf-8", "replace")] = None
        if len(found) == MAX_IDS:
            break
    return tuple(found)
