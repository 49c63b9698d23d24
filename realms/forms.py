"""Forms of the realm pages. They check shape; rules are the services'."""

from typing import Any

from django import forms

from realms.models import MAX_LABEL_CHARACTERS, Realm
from realms.roles import GIVEN_ROLES, Role
from realms.scopes import Scope


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


class RoleForm(forms.Form):
    """A role to give to a member: one who works with the realm, unless somebody says otherwise."""

    role = forms.ChoiceField(choices=[(role.value, role.label) for role in GIVEN_ROLES], initial=Role.DEVELOPER)


class InviteForm(RoleForm):
    """Whom to invite, and as what."""

    email = forms.EmailField(max_length=254, label="E-mail address")
    field_order = ("email", "role")


class ApiTokenForm(forms.Form):
    """What a new API token is for."""

    label = forms.CharField(
        required=False,
        max_length=MAX_LABEL_CHARACTERS,
        error_messages={"max_length": "Use %(limit_value)d characters or fewer."},
    )
    days = forms.ChoiceField(
        choices=[("30", "30 days"), ("90", "90 days"), ("365", "1 year"), ("0", "until it is revoked")], initial="90"
    )
    scopes = forms.MultipleChoiceField(
        choices=[(scope.value, scope.meaning) for scope in Scope],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one thing that the token may do."},
    )


class UsageRangeForm(forms.Form):
    """Which days; either may be left out."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["from"] = forms.DateField(label="From", required=False)
        self.fields["to"] = forms.DateField(label="To", required=False)
