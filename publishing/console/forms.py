"""What the console's forms take."""

from django import forms

from fanoutcloud.core.activity import TRANSPORTS
from fanoutcloud.core.reads import MAX_REASON_BYTES
from publishing.why.explaining import KINDS

MAX_NAME_CHARACTERS = 512


class ConnectionsForm(forms.Form):
    """Which connections to show, and from where on."""

    channel = forms.CharField(required=False, max_length=MAX_NAME_CHARACTERS, strip=False)
    user = forms.CharField(required=False, max_length=256, strip=False)
    transport = forms.ChoiceField(
        required=False, choices=[("", "any transport"), *((name, name) for name in TRANSPORTS)]
    )
    behind = forms.BooleanField(required=False, label="only those that are behind")
    after = forms.CharField(required=False, max_length=100)


class EndForm(forms.Form):
    """Which connection to end, and what to tell it."""

    connection = forms.CharField(max_length=100)
    reason = forms.CharField(required=False, max_length=MAX_REASON_BYTES)
    may_reconnect = forms.BooleanField(required=False)


class ItemForm(forms.Form):
    """An item to publish, as JSON."""

    item = forms.CharField(widget=forms.Textarea, strip=False)


class ItemPlaceForm(forms.Form):
    """Where an item is."""

    channel = forms.CharField(max_length=MAX_NAME_CHARACTERS, strip=False)
    position = forms.CharField(max_length=100)


class WhyForm(forms.Form):
    """About what somebody asks why."""

    about = forms.CharField(max_length=MAX_NAME_CHARACTERS, strip=False)
    kind = forms.ChoiceField(required=False, choices=[("", "find out"), *((kind, f"a {kind}") for kind in KINDS)])
