"""Forms of the Domains pages."""

from dataclasses import replace
from typing import Any

from django import forms

from fanoutcloud.core.domains import Domain, ForwardedFor
from realms.domain_texts import (
    parse_headers,
    parse_origins,
    parse_routes,
    write_headers,
    write_origins,
    write_routes,
)
from realms.errors import InvalidDomainSetting
from realms.refusals import sentence

CLIENTS_HOST, ORIGINS_HOST, FIXED_HOST = "client", "origin", "fixed"
_HOSTS = [
    (CLIENTS_HOST, "the name that the client asked for"),
    (ORIGINS_HOST, "the server's own name"),
    (FIXED_HOST, "always this name:"),
]
_SOCKETS = [
    ("http", "as HTTP requests (WebSocket-over-HTTP): any web framework can handle them"),
    ("ws", "as WebSockets, for servers that speak it themselves"),
]
#: Settings whose places begin so → the field that shows their errors, and what an entry is called there.
_FIELDS = {"origins": "Line", "routes": "Rule", "extra_headers": "Header"}
MAX_LINES_CHARACTERS = 20_000


class LinesField(forms.CharField):
    """A text of several lines, or none."""

    widget = forms.Textarea

    def __init__(self) -> None:
        super().__init__(max_length=MAX_LINES_CHARACTERS, required=False)


class DomainNameForm(forms.Form):
    """The name of a domain to add. Longer than a name can be: people paste URLs."""

    name = forms.CharField(
        max_length=500,
        error_messages={"required": "Write a name, such as push.example.com.", "max_length": "This is no name."},
    )


class DomainForm(forms.Form):
    """All that can be set for a domain, so that it works without a script."""

    origins = LinesField()
    routes = LinesField()
    sockets = forms.ChoiceField(choices=_SOCKETS, widget=forms.RadioSelect)
    host = forms.ChoiceField(choices=_HOSTS, widget=forms.RadioSelect)
    host_header = forms.CharField(max_length=300, required=False)
    extra_headers = LinesField()
    forwarded_keep = forms.IntegerField(
        min_value=0,
        max_value=20,
        error_messages={"required": "Write a number from 0 to 20.", "invalid": "Write a number from 0 to 20."},
    )
    forwarded_appends = forms.BooleanField(required=False)
    adds_cors = forms.BooleanField(required=False)
    has_json_p = forms.BooleanField(required=False)
    is_debug = forms.BooleanField(required=False)

    @classmethod
    def of(cls, domain: Domain) -> "DomainForm":
        """Return the form that shows what is set."""
        return cls(initial=_initial(domain))

    def read(self, before: Domain) -> Domain | None:
        """Return what the form sets, or None if its errors say why not."""
        if not self.is_valid():
            return None
        data = self.cleaned_data
        parsed = {
            "origins": self._parse("origins", parse_origins),
            "routes": self._parse("routes", parse_routes),
            "extra_headers": self._parse("extra_headers", parse_headers),
        }
        if data["host"] == FIXED_HOST and not data["host_header"]:
            self.add_error("host_header", "Write the name to send, or choose another way.")
        if not self.is_valid():
            return None
        return replace(
            before,
            **parsed,
            is_websocket_over_http=data["sockets"] == "http",
            rewrites_host=data["host"] == ORIGINS_HOST,
            host_header=data["host_header"] if data["host"] == FIXED_HOST else None,
            forwarded_for=ForwardedFor(keep=data["forwarded_keep"], appends_peer=data["forwarded_appends"]),
            cross_origin="auto" if data["adds_cors"] else "off",
            has_json_p=data["has_json_p"],
            is_debug=data["is_debug"],
        )

    def refuse(self, error: InvalidDomainSetting) -> None:
        """Show an error at its field, with the line that it is about."""
        name, bracket, rest = (error.field or "").partition("[")
        name = name.partition(".")[0]
        line = f"{_FIELDS[name]} {int(rest.partition(']')[0]) + 1}: " if bracket and name in _FIELDS else ""
        field = "forwarded_keep" if name == "forwarded_for" else name
        self.add_error(field if field in self.fields else None, line + sentence(error, begins=not line))

    def _parse(self, name: str, parse: Any) -> Any:  # Any: one parser for each field
        try:
            return parse(self.cleaned_data[name])
        except InvalidDomainSetting as error:
            self.refuse(error)
            return None


def _initial(domain: Domain) -> dict[str, object]:
    host = FIXED_HOST if domain.host_header is not None else ORIGINS_HOST if domain.rewrites_host else CLIENTS_HOST
    return {
        "origins": write_origins(domain.origins),
        "routes": write_routes(domain.routes),
        "sockets": "http" if domain.is_websocket_over_http else "ws",
        "host": host,
        "host_header": domain.host_header or "",
        "extra_headers": write_headers(domain.extra_headers),
        "forwarded_keep": domain.forwarded_for.keep,
        "forwarded_appends": domain.forwarded_for.appends_peer,
        "adds_cors": domain.cross_origin == "auto",
        "has_json_p": domain.has_json_p,
        "is_debug": domain.is_debug,
    }
