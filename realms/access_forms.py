"""Forms of the pages about channel rules and tokens. They check shape; rules are the services'."""

from typing import Any

from django import forms

from fanoutcloud.core.access import CAPABILITIES
from fanoutcloud.core.claims import MAX_TOKEN_ID_CHARACTERS
from fanoutcloud.core.public_keys import MAX_KEY_SET_BYTES
from fanoutcloud.core.tokens import MAX_TOKEN_BYTES
from realms.models import MAX_LABEL_CHARACTERS
from realms.models.access import MAX_PATTERN_CHARACTERS, Revocation

_WEBHOOK_EVENTS = [
    ("occupied", "the first subscriber comes"),
    ("vacated", "the last one leaves"),
    ("connected", "somebody comes"),
    ("disconnected", "somebody leaves"),
    ("published", "an item is published"),
]
_LIFETIMES = [(300, "5 minutes"), (3600, "1 hour"), (86_400, "1 day"), (2_592_000, "30 days")]


def _number(label: str) -> forms.IntegerField:
    return forms.IntegerField(
        label=label, required=False, error_messages={"invalid": "Use a whole number, or nothing."}
    )


class RuleForm(forms.Form):
    """One channel rule. An empty number is "as for the realm"."""

    pattern = forms.CharField(
        max_length=MAX_PATTERN_CHARACTERS,
        strip=False,
        error_messages={"required": "Name a channel, or a prefix with *."},
    )
    access = forms.ChoiceField(
        label="Who may read",
        choices=[("public", "Everybody"), ("token", "By token only")],
    )
    history_items = _number("Items kept")
    history_age_s = _number("Seconds kept")
    item_bytes = _number("Bytes in one item")
    publish_per_s = _number("Items per second")
    publish_burst = _number("Items at once")
    presence = forms.BooleanField(required=False)
    join_leave = forms.BooleanField(required=False)
    client_publish = forms.BooleanField(required=False)
    cache_last_item = forms.BooleanField(required=False)
    webhook_events = forms.MultipleChoiceField(required=False, choices=_WEBHOOK_EVENTS)

    @property
    def document(self) -> dict[str, Any]:  # Any: JSON
        """Return the settings that are set, as `parse_settings` takes them."""
        given = {name: value for name, value in self.cleaned_data.items() if name != "pattern"}
        return {name: value for name, value in given.items() if value not in (None, "", [])}


class ExamineForm(forms.Form):
    """A token for the doctor, and a channel to ask it about."""

    # Longer than any token that holds: the doctor says that, and not the form.
    token = forms.CharField(max_length=MAX_TOKEN_BYTES * 2, error_messages={"required": "Paste a token."})
    channel = forms.CharField(required=False)


class MakeTokenForm(forms.Form):
    """A token to try things out with."""

    user = forms.CharField(label="User", required=False)
    channels = forms.CharField(
        label="Channels", error_messages={"required": "Name a channel, or a pattern such as orders.*."}
    )
    capabilities = forms.MultipleChoiceField(
        choices=[(name, name) for name in CAPABILITIES],
        error_messages={"required": "Choose what it allows.", "invalid_choice": "Choose from the list."},
    )
    lifetime_s = forms.TypedChoiceField(label="Holds for", choices=_LIFETIMES, coerce=int)


class TokenKeysForm(forms.Form):
    """Public keys: a JWK set."""

    document = forms.CharField(
        max_length=MAX_KEY_SET_BYTES, error_messages={"required": "Paste a JWK set, or the URL where it is."}
    )
    label = forms.CharField(required=False, max_length=MAX_LABEL_CHARACTERS)
    issuer = forms.CharField(required=False)


class RevokeForm(forms.Form):
    """What to revoke."""

    kind = forms.ChoiceField(
        label="What",
        choices=[
            (Revocation.Kind.USER.value, "All tokens of a user (sub)"),
            (Revocation.Kind.TOKEN.value, "One token (jti)"),
        ],
    )
    name = forms.CharField(max_length=MAX_TOKEN_ID_CHARACTERS, error_messages={"required": "Say whose, or which."})
