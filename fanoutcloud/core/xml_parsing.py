"""Reading XML from strangers: one element at a time out of a stream, or one whole text. No I/O.

No document type, so no entities; no comments, no processing instructions (RFC 6120 §11.1). Size, depth, number of
elements and attributes are bounded before memory is spent on them. A fault ends the reader for good.
"""

from dataclasses import dataclass
from xml.parsers import expat

from fanoutcloud.core.xml_elements import Element

#: Fed to expat in pieces of this size, so that a limit is noticed near where it was passed.
_PIECE_BYTES = 16_384
STREAMS = "http://etherx.jabber.org/streams"


@dataclass(frozen=True, slots=True)
class XmlLimits:
    """Of one stanza, or one text. Sizes in bytes of the wire."""

    stanza_bytes: int = 262_144
    depth: int = 32
    elements: int = 2_000
    attributes: int = 64  # of one element
    name_characters: int = 256


class XmlFault(Exception):
    """What came can't be read on. `condition` is that of a stream error; line and column begin with 1 and 0."""

    def __init__(self, condition: str, text: str, line: int = 0, column: int = 0) -> None:
        super().__init__(condition, text)
        self.condition = condition
        self.text = text
        self.line = line
        self.column = column


class XmlReader:
    """Reads a stream: `feed` bytes, and take what has become whole. `limits` may be changed between stanzas.

    With `is_stream` false the root element itself is what is read.
    """

    def __init__(self, limits: XmlLimits, *, is_stream: bool = True) -> None:
        self.limits = limits
        self.header: Element | None = None  # the root of a stream, once it has begun
        self.is_ended = False  # the root was closed
        self._is_stream = is_stream
        self._stack: list[Element] = []
        self._whole: list[Element] = []
        self._elements = 0
        self._begins_at = 0  # where the stanza that is being read began, in bytes fed
        self._fed = 0
        self._is_dead = False
        self._parser = parser = expat.ParserCreate("UTF-8", " ")
        parser.buffer_text = True
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        for name in ("StartDoctypeDecl", "EntityDecl", "Comment", "ProcessingInstruction"):
            setattr(parser, f"{name}Handler", self._refuse)

    @property
    def is_between(self) -> bool:
        """Whether no stanza is half read."""
        return len(self._stack) <= 1

    def feed(self, data: bytes, *, is_last: bool = False) -> list[Element]:
        """Return the stanzas that have become whole with `data`.

        Raises:
            XmlFault: it is no XML, or more than is allowed; stanzas before the fault are in `take`.
        """
        if self._is_dead:
            return []
        try:
            for start in range(0, len(data), _PIECE_BYTES):
                piece = data[start : start + _PIECE_BYTES]
                self._fed += len(piece)
                self._parser.Parse(piece)
                if self._fed - self._begins_at > self.limits.stanza_bytes:
                    self._fail("policy-violation", f"more than {self.limits.stanza_bytes:,} bytes")
            if is_last:
                self._parser.Parse(b"", True)  # noqa: FBT003 - as pyexpat has it
        except expat.ExpatError as error:
            self._is_dead = True
            raise XmlFault("not-well-formed", expat.ErrorString(error.code), error.lineno, error.offset) from None
        except XmlFault:
            self._is_dead = True
            raise
        return self.take()

    def take(self) -> list[Element]:
        """Return what is whole and was not taken yet."""
        whole, self._whole = self._whole, []
        return whole

    def _fail(self, condition: str, text: str) -> None:
        raise XmlFault(condition, text, self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber)

    def _refuse(self, *_: object) -> None:
        self._fail("restricted-xml", "no document type, entity, comment or processing instruction")

    def _start(self, full_name: str, attributes: dict[str, str]) -> None:
        limits = self.limits
        namespace, _, name = full_name.rpartition(" ")
        if len(self._stack) == self._is_stream:  # True counts as 1: the stream's root
            self._elements = 0
            self._begins_at = self._parser.CurrentByteIndex
        self._elements += 1
        if len(self._stack) >= limits.depth:
            self._fail("policy-violation", f"nested deeper than {limits.depth}")
        if self._elements > limits.elements:
            self._fail("policy-violation", f"more than {limits.elements:,} elements")
        if len(attributes) > limits.attributes:
            self._fail("policy-violation", f"more than {limits.attributes} attributes")
        if any(len(one) > limits.name_characters for one in (full_name, *attributes)):
            self._fail("policy-violation", f"a name is longer than {limits.name_characters} characters")
        if ":" in name:
            self._fail("bad-namespace-prefix", "a prefix is not bound")
        element = Element(name, namespace, attributes)
        if not self._stack and self._is_stream:
            self.header = element
        self._stack.append(element)

    def _end(self, _: str) -> None:
        element = self._stack.pop()
        if len(self._stack) > self._is_stream:
            self._stack[-1].children.append(element)
        elif len(self._stack) == self._is_stream:
            self._whole.append(element)
            self._begins_at = self._parser.CurrentByteIndex
        else:
            self.is_ended = True

    def _characters(self, text: str) -> None:
        if len(self._stack) > self._is_stream:
            self._stack[-1].children.append(text)
        elif text.strip(" \t\r\n"):
            self._fail("bad-format", "text between stanzas")
        else:
            self._begins_at = self._parser.CurrentByteIndex  # white space keeps a connection alive


def parse_xml(text: bytes, limits: XmlLimits) -> Element:
    """Return the one element that a text is.

    Raises:
        XmlFault: it is none, or exceeds the limits.
    """
    if len(text) > limits.stanza_bytes:
        raise XmlFault("policy-violation", f"more than {limits.stanza_bytes:,} bytes", 1, 0)
    [element] = XmlReader(limits, is_stream=False).feed(text, is_last=True)
    return element
