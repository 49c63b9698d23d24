"""Forms of the realm pages. They check shape; rules are the services'."""

from typing import Any

from django import forms

from realms.models import MAX_LABEL_CHARACTERS, Realm


class LabelForm(forms.Form):
    """The label of a realm or of a key; may be empty."""

    label = forms.CharField(
        required=False,
        max_length=MAX_LABEL_CHARACTERS,
        error_messages={"max_length": "Use %(limit_value)d characters or fewer."},
    )


class DeleteRealmForm(forms.Form):
    """Asks for the realm's id, so that nobody deletes one by a slip of the hand."""

    confirmation = forms.CharField(error_messages={"required": "Type the id to confirm."})

    def __init__(self, *args: Any, realm: Realm, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._realm = realm

    def clean_confirmation(self) -> str:
        """Return the id, if it is this realm's."""
        confirmation: str = self.cleaned_data["confirmation"]
        if confirmation != self._realm.pk:
            raise forms.ValidationError("This is not the id of the realm. Nothing was deleted.")
        return confirmation
