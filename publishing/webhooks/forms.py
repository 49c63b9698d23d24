"""Forms of the Webhooks pages."""

from datetime import timedelta
from typing import Any

from django import forms

from fanoutcloud.core.webhooks import WANTED_KINDS
from publishing.models import WebhookDelivery, WebhookEndpoint
from publishing.webhooks.endpoints import TIMEOUTS_S
from publishing.webhooks.own_headers import read_lines, show_headers

MAX_LINES_CHARACTERS = 60_000
#: What each kind means, beside its name.
KIND_MEANINGS = {
    "channel.message": "an item was published",
    "client.message": "a subscriber published an item",
    "channel.occupied": "a channel has its first subscriber",
    "channel.vacated": "its last one has left",
    "presence.join": "a user came",
    "presence.leave": "a user left",
    "connection.opened": "a connection was opened",
    "connection.closed": "a connection has ended",
    "origin.error": "one of your origins did not answer well",
    "limit.reached": "the realm has reached a limit",
    "endpoint.disabled": "one of your endpoints was disabled",
    "endpoint.exhausted": "deliveries of one were given up",
}
_FORMATS = [
    ("auto", "as they come: http-request where an item has it, else an event with its JSON"),
    ("json-object", "as events with their JSON, always"),
    ("http-request", "those with the format http-request, and no others"),
]
_OVERLAPS = [
    (86_400, "for a day"),
    (3_600, "for an hour"),
    (604_800, "for a week"),
    (0, "not at all: it has leaked"),
]


class EndpointForm(forms.Form):
    """All that can be set for an endpoint."""

    url = forms.CharField(max_length=4_000, error_messages={"required": "Write the URL that is to be called."})
    label = forms.CharField(max_length=200, required=False)
    patterns = forms.CharField(
        max_length=MAX_LINES_CHARACTERS, widget=forms.Textarea, error_messages={"required": "Name channels, or *."}
    )
    events = forms.MultipleChoiceField(
        choices=[(kind, f"{kind}: {KIND_MEANINGS[kind]}") for kind in WANTED_KINDS],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose what it is called with."},
    )
    format = forms.ChoiceField(choices=_FORMATS, widget=forms.RadioSelect)
    is_ordered = forms.BooleanField(required=False)
    is_batched = forms.BooleanField(required=False)
    has_v1a = forms.BooleanField(required=False)
    headers = forms.CharField(max_length=MAX_LINES_CHARACTERS, widget=forms.Textarea, required=False)
    timeout_s = forms.IntegerField(min_value=TIMEOUTS_S[0], max_value=TIMEOUTS_S[1])

    @classmethod
    def empty(cls) -> "EndpointForm":
        """Return the form as somebody begins with it."""
        return cls(initial={"patterns": "*", "events": ["channel.message"], "format": "auto", "timeout_s": 15})

    @classmethod
    def of(cls, row: WebhookEndpoint) -> "EndpointForm":
        """Return the form as an endpoint is set."""
        plain = ("url", "label", "events", "format", "is_ordered", "is_batched", "timeout_s")
        shown = {name: getattr(row, name) for name in plain}
        headers = "\n".join(f"{name}: {value}" for name, value in show_headers(row.sealed_headers).items())
        lines = {"patterns": "\n".join(row.patterns), "headers": headers}
        return cls(initial={**shown, **lines, "has_v1a": bool(row.sealed_signing_key)})

    def settings(self) -> dict[str, Any]:  # Any: what each setting is
        """Return what was chosen, as the services take it.

        Raises:
            InvalidEndpoint: the headers can't be read.
        """
        lines = self.cleaned_data["patterns"].splitlines()
        patterns = [line.strip() for line in lines if line.strip()]
        return {**self.cleaned_data, "patterns": patterns, "headers": read_lines(self.cleaned_data["headers"])}


class RotateForm(forms.Form):
    """How long the old secret signs, too."""

    overlap = forms.TypedChoiceField(choices=_OVERLAPS, coerce=lambda text: timedelta(seconds=int(text)))


class ReplayForm(forms.Form):
    """What is sent again."""

    since = forms.DateTimeField(error_messages={"required": "Say since when.", "invalid": "This is no time."})
    what = forms.ChoiceField(
        choices=[
            ("dead", "what was given up"),
            ("all", "everything in the log"),
            ("history", "everything in the channels' history, under new ids"),
        ]
    )


class SearchForm(forms.Form):
    """Which deliveries are listed."""

    webhook = forms.IntegerField(min_value=1, max_value=2**62, required=False)
    state = forms.ChoiceField(choices=[("", "any"), *WebhookDelivery.State.choices], required=False)
    kind = forms.ChoiceField(
        choices=[("", "any"), *((kind, kind) for kind in (*WANTED_KINDS, "webhook.test"))], required=False
    )
    channel = forms.CharField(max_length=512, required=False)
    webhook_id = forms.CharField(max_length=64, required=False)
    since = forms.DateTimeField(required=False)
    until = forms.DateTimeField(required=False)

    def chosen(self) -> dict[str, Any]:  # Any: text, numbers, times
        """Return what was chosen, as the selector takes it; what makes no sense is passed over."""
        self.is_valid()
        found = {name: value for name, value in self.cleaned_data.items() if value}
        return {"endpoint_id" if name == "webhook" else name: value for name, value in found.items()}
