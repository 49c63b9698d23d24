"""Data forms (XEP-0004): fields by name, as they come and as they go. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from fanoutcloud.core.xml_elements import Element

DATA = "jabber:x:data"
FieldType = Literal[
    "hidden", "text-single", "text-multi", "text-private", "jid-single", "boolean", "list-single", "fixed"
]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a form that is shown."""

    name: str
    label: str
    type: FieldType = "text-single"
    is_required: bool = False
    values: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()  # label and value


@dataclass(frozen=True, slots=True)
class FormResult:
    """What a form asks for: its kind, and the values of its fields; `type` is `submit` or `cancel`."""

    type: str
    kind: str
    values: Mapping[str, tuple[str, ...]]

    def find(self, name: str) -> str | None:
        """Return a field's text: its values as lines; None without the field."""
        found = self.values.get(name)
        return None if found is None else "\n".join(found)


def find_form(within: Element) -> FormResult | None:
    """Return the form in an element, or None without one."""
    form = within.find("x", DATA)
    if form is None:
        return None
    values: dict[str, tuple[str, ...]] = {}
    for field in form.find_all("field"):
        values[field.get("var") or ""] = tuple(value.text for value in field.find_all("value"))
    kind = values.pop("FORM_TYPE", ())
    return FormResult(form.get("type") or "", kind[0] if kind else "", values)


def write_form(
    fields: Sequence[Field], *, kind: str = "", type_: str = "form", title: str = "", instructions: str = ""
) -> Element:
    """Return a form to fill in, or, as a `result`, one that tells."""
    form = Element("x", DATA, {"type": type_})
    for name, text in (("title", title), ("instructions", instructions)):
        if text:
            form.children.append(Element(name, DATA, None, text))
    if kind:
        form.children.append(_write_field(Field("FORM_TYPE", "", "hidden", values=(kind,))))
    form.children.extend(_write_field(field) for field in fields)
    return form


def _write_field(field: Field) -> Element:
    attributes = {"var": field.name, "type": field.type}
    if field.label:
        attributes["label"] = field.label
    element = Element("field", DATA, attributes)
    if field.is_required:
        element.children.append(Element("required", DATA))
    element.children.extend(Element("value", DATA, None, value) for value in field.values)
    for label, value in field.options:
        element.children.append(Element("option", DATA, {"label": label}, Element("value", DATA, None, value)))
    return element
