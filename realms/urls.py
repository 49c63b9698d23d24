"""Addresses of the realm pages; `onboarding.urls` adds the quick start."""

from django.urls import path

from realms import views

app_name = "realms"
urlpatterns = [
    path("", views.show_realms, name="list"),
    path("add/", views.add_realm, name="add"),
    path("<slug:realm_id>/", views.show_realm, name="detail"),
    path("<slug:realm_id>/label/", views.change_label, name="label"),
    path("<slug:realm_id>/keys/add/", views.add_key, name="key_add"),
    path("<slug:realm_id>/keys/<int:key_id>/reveal/", views.reveal_key, name="key_reveal"),
    path("<slug:realm_id>/keys/<int:key_id>/revoke/", views.revoke_key, name="key_revoke"),
    path("<slug:realm_id>/console/", views.show_console, name="console"),
    path("<slug:realm_id>/delete/", views.remove_realm, name="delete"),
]
