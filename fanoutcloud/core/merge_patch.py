"""JSON Merge Patch (RFC 7396) between two JSON texts, without decoding what has not changed.

Values keep the publisher's own bytes: numbers keep their digits.
"""

import msgspec

_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode = msgspec.json.Encoder().encode

#: Objects nested deeper are replaced as a whole.
MAX_DEPTH = 20


def make_merge_patch(base: bytes, target: bytes) -> bytes | None:
    """Return the patch that makes `target` of `base`; None if there is none, or it would be no shorter than `target`.

    There is none where one of them is no object, or where a null would have to be set: in a patch it removes.
    """
    patch = _compare(base, target, 0)
    if patch is None:
        return None
    text = _encode(patch)
    return text if len(text) < len(target) else None


def _compare(base: bytes, target: bytes, depth: int) -> dict[str, object] | None:
    """Return the patch as an object, or None: it can't be said."""
    try:
        was, now = _decoder.decode(base), _decoder.decode(target)
    except msgspec.MsgspecError:
        return None
    patch: dict[str, object] = {name: None for name in was if name not in now}
    for name, value in now.items():
        new, old = bytes(value), bytes(was[name]) if name in was else b""
        if new == old:
            continue
        if old[:1] == new[:1] == b"{" and depth < MAX_DEPTH:
            part: object = _compare(old, new, depth + 1)
            if part is None:
                return None
        elif b"null" in new:  # as a value, perhaps deep inside; in a text it costs a full item
            return None
        else:
            part = value
        patch[name] = part
    return patch
