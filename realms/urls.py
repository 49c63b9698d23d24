"""Addresses of the realm pages; `onboarding.urls` adds the quick start."""

from django.urls import path

from realms.views import keys, realms

app_name = "realms"
urlpatterns = [
    path("", realms.show_realms, name="list"),
    path("add/", realms.add_realm, name="add"),
    path("<slug:realm_id>/", realms.show_realm, name="detail"),
    path("<slug:realm_id>/label/", realms.change_label, name="label"),
    path("<slug:realm_id>/keys/add/", keys.add_key, name="key_add"),
    path("<slug:realm_id>/keys/<int:key_id>/reveal/", keys.reveal_key, name="key_reveal"),
    path("<slug:realm_id>/keys/<int:key_id>/revoke/", keys.revoke_key, name="key_revoke"),
    path("<slug:realm_id>/console/", realms.show_console, name="console"),
    path("<slug:realm_id>/delete/", realms.remove_realm, name="delete"),
]
