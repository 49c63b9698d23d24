"""The language in which subscribers say which items they want, by tag. Source: docs/api/filters.md.

    expression = all-of *( "or" all-of )
    all-of     = part *( "and" part )
    part       = "not" part / "(" expression ")" / comparison
    comparison = NAME ( "==" / "!=" / "<" / "<=" / ">" / ">=" ) value
               / NAME "in" "(" value *( "," value ) ")"
               / NAME "prefix" text
    value      = text / number / "true" / "false"

Bounded in length, depth and comparisons, without patterns that search: a filter costs a few comparisons per item.
Pure; equal expressions make equal filters, however they are spaced.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import ge, gt, le, lt
from typing import Protocol

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.tags import MAX_TAG_TEXT_BYTES, TAG_NAME, TagValue

MAX_FILTER_CHARACTERS = 1000
MAX_COMPARISONS = 40
MAX_DEPTH = 10

_EXAMPLE = "priority >= 3 and kind in ('a', 'b')"


class _Node(Protocol):
    def matches(self, tags: Mapping[str, TagValue]) -> bool: ...


def _kind(value: TagValue) -> type:
    """Return the type by which values are comparable: 1 and 1.0 are, true and 1 are not."""
    if isinstance(value, bool):
        return bool
    return str if isinstance(value, str) else float


@dataclass(frozen=True, slots=True)
class _Equals:
    name: str
    values: tuple[tuple[type, TagValue], ...]

    def matches(self, tags: Mapping[str, TagValue]) -> bool:
        value = tags.get(self.name)
        return value is not None and (_kind(value), value) in self.values


_ORDERS: dict[str, Callable[[TagValue, TagValue], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}


@dataclass(frozen=True, slots=True)
class _Order:
    name: str
    operator: str
    value: str | int | float

    def matches(self, tags: Mapping[str, TagValue]) -> bool:
        value = tags.get(self.name)
        return value is not None and _kind(value) is _kind(self.value) and _ORDERS[self.operator](value, self.value)


@dataclass(frozen=True, slots=True)
class _Prefix:
    name: str
    text: str

    def matches(self, tags: Mapping[str, TagValue]) -> bool:
        value = tags.get(self.name)
        return isinstance(value, str) and value.startswith(self.text)


@dataclass(frozen=True, slots=True)
class _Not:
    part: _Node

    def matches(self, tags: Mapping[str, TagValue]) -> bool:
        return not self.part.matches(tags)


@dataclass(frozen=True, slots=True)
class _All:
    parts: tuple[_Node, ...]

    def matches(self, tags: Mapping[str, TagValue]) -> bool:
        return all(part.matches(tags) for part in self.parts)


@dataclass(frozen=True, slots=True)
class _Any:
    parts: tuple[_Node, ...]

    def matches(self, tags: Mapping[str, TagValue]) -> bool:
        return any(part.matches(tags) for part in self.parts)


@dataclass(frozen=True, slots=True)
class TagFilter:
    """A checked filter. `text` is how it was written; equality is that of what it means."""

    root: _Node
    text: str = field(compare=False)

    def matches(self, tags: Mapping[str, TagValue]) -> bool:
        """Return whether an item with these tags is wanted."""
        return self.root.matches(tags)


def parse_filter(text: str, *, field: str = "filter") -> TagFilter:
    """Return the filter that `text` says.

    Raises:
        InvalidRequest: it is no filter, or too large; says at which character, from 1.
    """
    if len(text) > MAX_FILTER_CHARACTERS:
        raise InvalidRequest(
            f"the filter has {len(text):,} characters", cure=f"use at most {MAX_FILTER_CHARACTERS:,}", field=field
        )
    try:
        return TagFilter(_Parser(text).read(), text)
    except _Fault as fault:
        raise InvalidRequest(f"at character {fault.at + 1}: {fault.problem}", cure=fault.cure, field=field) from None


class _Fault(Exception):
    def __init__(self, at: int, problem: str, cure: str = f"write such as {_EXAMPLE}") -> None:
        super().__init__(at, problem, cure)
        self.at = at
        self.problem = problem
        self.cure = cure


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else repr(self.text[:40])


_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<number>-?[0-9]{1,16}(?:\.[0-9]{1,16})?(?![A-Za-z0-9_.]))"
    rf"|(?P<word>{TAG_NAME.pattern}(?![A-Za-z0-9_.-]))"
    r"|(?P<operator>==|!=|<=|>=|<|>)"
    r"|(?P<mark>[(),])"
    r"""|(?P<text>"(?:[^"\\]|\\["'\\])*"|'(?:[^'\\]|\\["'\\])*')"""
)
_RESERVED = {"and", "or", "not", "in", "prefix", "true", "false"}


def _tokenize(text: str) -> list[_Token]:
    tokens, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            if text[at] in "\"'":
                raise _Fault(at, "the text has no end", cure="close it; \\ goes before a quote inside")
            if text[at] == "=":
                raise _Fault(at, "there is no operator '='", cure="use == to compare")
            raise _Fault(at, f"can't read {text[at : at + 10]!r}")
        if match.lastgroup != "space":
            tokens.append(_Token(match.lastgroup or "", match.group(), at))
        at = match.end()
    return [*tokens, _Token("end", "", len(text))]


class _Parser:
    """Reads one expression by recursive descent, at most `MAX_DEPTH` deep."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokenize(text)
        self._next = 0
        self._comparisons = 0

    def read(self) -> _Node:
        """Return the whole expression."""
        node = self._read_expression(0)
        if (token := self._peek()).kind != "end":
            raise _Fault(token.at, f"{token} follows where 'and', 'or' or the end would")
        return node

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token

    def _take_if(self, text: str) -> bool:
        token = self._peek()
        is_there = token.kind in ("word", "mark") and token.text == text
        if is_there:
            self._take()
        return is_there

    def _expect(self, mark: str) -> None:
        token = self._peek()
        if not self._take_if(mark):
            raise _Fault(token.at, f"{token} stands where '{mark}' would")

    def _read_expression(self, depth: int) -> _Node:
        parts = [self._read_all_of(depth)]
        while self._take_if("or"):
            parts.append(self._read_all_of(depth))
        return parts[0] if len(parts) == 1 else _Any(tuple(parts))

    def _read_all_of(self, depth: int) -> _Node:
        parts = [self._read_part(depth)]
        while self._take_if("and"):
            parts.append(self._read_part(depth))
        return parts[0] if len(parts) == 1 else _All(tuple(parts))

    def _read_part(self, depth: int) -> _Node:
        if depth > MAX_DEPTH:
            raise _Fault(self._peek().at, f"nested more than {MAX_DEPTH} deep", cure="write a flatter filter")
        if self._take_if("not"):
            return _Not(self._read_part(depth + 1))
        if self._take_if("("):
            node = self._read_expression(depth + 1)
            self._expect(")")
            return node
        return self._read_comparison()

    def _read_comparison(self) -> _Node:
        name = self._take()
        if name.kind != "word" or name.text in _RESERVED:
            raise _Fault(name.at, f"{name} stands where the name of a tag would")
        self._count(name)
        operator = self._take()
        if operator.kind == "operator":
            return self._read_operation(name.text, operator.text)
        match operator.kind, operator.text:
            case "word", "in":
                return self._read_choices(name.text)
            case "word", "prefix":
                return _Prefix(name.text, self._read_text())
        raise _Fault(operator.at, f"{operator} stands where ==, !=, <, <=, >, >=, in or prefix would")

    def _read_operation(self, name: str, operator: str) -> _Node:
        at = self._peek().at
        value = self._read_value()
        if operator in ("==", "!="):
            equals = _Equals(name, ((_kind(value), value),))
            return equals if operator == "==" else _Not(equals)
        if isinstance(value, bool):
            raise _Fault(at, f"true and false have no order for {operator}", cure="use == or !=")
        return _Order(name, operator, value)

    def _read_choices(self, name: str) -> _Node:
        self._expect("(")
        values = [self._read_value()]
        while self._take_if(","):
            self._count(self._peek())
            values.append(self._read_value())
        self._expect(")")
        return _Equals(name, tuple((_kind(value), value) for value in values))

    def _read_text(self) -> str:
        token = self._peek()
        value = self._read_value()
        if not isinstance(value, str):
            raise _Fault(token.at, f"{token} stands where a text in quotes would")
        return value

    def _read_value(self) -> TagValue:
        token = self._take()
        match token.kind, token.text:
            case "text", quoted:
                return _unquote(token, quoted)
            case "number", digits:
                return float(digits) if "." in digits else int(digits)
            case "word", "true" | "false":
                return token.text == "true"
        raise _Fault(token.at, f"{token} stands where a value would", cure="use 'text', a number, true or false")

    def _count(self, token: _Token) -> None:
        self._comparisons += 1
        if self._comparisons > MAX_COMPARISONS:
            raise _Fault(token.at, f"more than {MAX_COMPARISONS} comparisons", cure="use a shorter filter")


def _unquote(token: _Token, quoted: str) -> str:
    text = re.sub(r"\\(.)", r"\1", quoted[1:-1])
    if len(text.encode(errors="replace")) > MAX_TAG_TEXT_BYTES:
        raise _Fault(token.at, f"the text is longer than any tag: {MAX_TAG_TEXT_BYTES} bytes", cure="use a shorter one")
    return text
