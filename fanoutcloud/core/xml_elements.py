"""XML elements as XMPP has them: names with namespaces, attributes, text; and the one encoder for all that goes out.

The encoder can't produce what ends a stream that many share: no character that XML 1.0 forbids, no entity beyond the
five, no comment, no processing instruction. Sources: RFC 6120 §11, XML 1.0 §2.2.
"""

import re
from collections.abc import Iterator
from typing import Union

XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace"
_LANG = f"{XML_NAMESPACE} lang"
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ENTITIES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&apos;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
)
_TEXT_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})

Child = Union["Element", str]


class Element:
    """One element. Attributes in a namespace are named `NAMESPACE NAME`; of these only `xml:lang` is written again."""

    __slots__ = ("attributes", "children", "name", "namespace")

    def __init__(self, name: str, namespace: str, attributes: dict[str, str] | None = None, *children: Child) -> None:
        self.name = name
        self.namespace = namespace
        self.attributes = attributes or {}
        self.children: list[Child] = list(children)

    def __repr__(self) -> str:
        return f"<Element {self.name} of {self.namespace}>"

    def get(self, name: str) -> str | None:
        """Return an attribute without namespace, or None."""
        return self.attributes.get(name)

    @property
    def lang(self) -> str | None:
        return self.attributes.get(_LANG)

    @property
    def elements(self) -> Iterator["Element"]:
        """The children that are elements."""
        return (child for child in self.children if isinstance(child, Element))

    @property
    def text(self) -> str:
        """The text that stands directly in the element."""
        return "".join(child for child in self.children if isinstance(child, str))

    def find(self, name: str, namespace: str | None = None) -> "Element | None":
        """Return the first child of this name, in the element's own namespace unless another is named."""
        return next(self.find_all(name, namespace), None)

    def find_all(self, name: str, namespace: str | None = None) -> Iterator["Element"]:
        wanted = self.namespace if namespace is None else namespace
        return (child for child in self.elements if child.name == name and child.namespace == wanted)

    def walk(self) -> Iterator["Element"]:
        """Yield the element and all within it."""
        yield self
        for child in self.elements:
            yield from child.walk()


def is_legal_text(text: str) -> bool:
    """Tell whether XML 1.0 allows every character of the text."""
    return _FORBIDDEN.search(text) is None


def escape_text(text: str) -> str:
    """Return `text` as content of an element; a character that XML forbids becomes U+FFFD."""
    return _FORBIDDEN.sub("\ufffd", text).translate(_TEXT_ENTITIES)


def quote_attribute(text: str) -> str:
    """Return `text` as a quoted attribute value."""
    return f"'{_FORBIDDEN.sub(chr(0xFFFD), text).translate(_ENTITIES)}'"


def write_element(element: Element, *, within: str = "jabber:client") -> str:
    """Return the element as text for a place where `within` is the default namespace."""
    parts: list[str] = []
    _write(element, within, parts)
    return "".join(parts)


def _write(element: Element, within: str, parts: list[str]) -> None:
    parts.append(f"<{element.name}")
    if element.namespace != within:
        parts.append(f" xmlns={quote_attribute(element.namespace)}")
    for name, value in element.attributes.items():
        if name == _LANG:
            parts.append(f" xml:lang={quote_attribute(value)}")
        elif " " not in name:
            parts.append(f" {name}={quote_attribute(value)}")
    if not element.children:
        parts.append("/>")
        return
    parts.append(">")
    for child in element.children:
        if isinstance(child, str):
            parts.append(escape_text(child))
        else:
            _write(child, element.namespace, parts)
    parts.append(f"</{element.name}>")
