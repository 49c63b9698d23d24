"""Values of `Grip-*` headers: lists, parameters, quotes.

    list     = value *( "," value )
    value    = first *( ";" name [ "=" text | quoted ] )
    quoted   = DQUOTE text with `\\` escapes DQUOTE

The first part of a value is taken literally. Neither `,` nor `;` splits inside quotes, nor inside `<` and `>` at the
beginning of a value, as links have them. Source: GRIP: instructions, headers.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fanoutcloud.grip.bad_instruction import refused

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Value:
    """One value: its first part, and its parameters in order, names in lower case."""

    first: str
    parameters: tuple[tuple[str, str], ...] = ()

    def get(self, name: str) -> str | None:
        """Return the first parameter of this name."""
        return next((text for other, text in self.parameters if other == name), None)

    def get_all(self, name: str) -> tuple[str, ...]:
        """Return all parameters of this name."""
        return tuple(text for other, text in self.parameters if other == name)


def find_all(headers: Iterable[tuple[bytes, bytes]], name: str) -> list[str]:
    """Return the values of a header, in order.

    Raises:
        BadInstruction: one is not UTF-8.
    """
    wanted = name.lower().encode()
    return [_decode(name, value) for other, value in headers if other.lower() == wanted]


def _decode(name: str, value: bytes) -> str:
    try:
        return value.strip(b" \t").decode()
    except UnicodeDecodeError as error:
        raise refused(name, f"byte {error.start} is not UTF-8", cure="send names and values as UTF-8") from None


def parse_list(name: str, texts: Iterable[str]) -> list[Value]:
    """Return the values of a list header that may come several times; empty ones are passed over.

    Raises:
        BadInstruction: quotes or brackets are left open.
    """
    pieces = (piece.strip(" \t") for text in texts for piece in _split(name, text, ","))
    return [parse_value(name, piece) for piece in pieces if piece]


def parse_value(name: str, text: str) -> Value:
    """Return one value with its parameters.

    Raises:
        BadInstruction: quotes or brackets are left open.
    """
    first, *rest = _split(name, text, ";")
    return Value(first.strip(" \t"), tuple(_parameter(piece.strip(" \t")) for piece in rest if piece.strip(" \t")))


def parse_pair(text: str) -> tuple[str, str]:
    """Return `key=value` or `key="value"`; without `=` the value is empty."""
    key, _, value = text.partition("=")
    return key.rstrip(" \t"), unquote(value.strip(" \t"))


def unquote(text: str) -> str:
    """Return text without the quotes around it and the escapes in it; other text as it is."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    letters = iter(text[1:-1])
    return "".join(next(letters, "") if letter == "\\" else letter for letter in letters)


def _parameter(piece: str) -> tuple[str, str]:
    key, value = parse_pair(piece)
    return key.lower(), value


def _split(name: str, text: str, separator: str) -> Iterator[str]:
    """Split where the separator is outside of quotes and brackets, both of which open where a part begins."""
    start, at, may_open = 0, 0, True
    while at < len(text):
        letter = text[at]
        if may_open and letter in '"<':
            at, may_open = _end_of(name, text, at), False
        elif letter == separator:
            yield text[start:at]
            start, may_open = at + 1, True
        else:
            may_open = letter in "=,;" or (may_open and letter in " \t")
        at += 1
    yield text[start:]


def _end_of(name: str, text: str, start: int) -> int:
    """Return where the quote or bracket that opens at `start` closes."""
    closing, at = ('"' if text[start] == '"' else ">"), start + 1
    while at < len(text):
        if text[at] == "\\" and closing == '"':
            at += 1
        elif text[at] == closing:
            return at
        at += 1
    what = "a quote" if closing == '"' else "an angle bracket"
    raise refused(name, f"{what} is left open in {text[start : start + 40]!r}", cure=f"close it with {closing}")
