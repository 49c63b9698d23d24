"""Addresses of the management API."""

from django.urls import path, re_path

from publishing.api import keys, me, realms, tokens
from publishing.api.documents import show_openapi
from publishing.api.not_found import answer_not_found

app_name = "api"
REALM = "realms/<slug:realm_id>"
urlpatterns = [
    path("openapi.json", show_openapi, name="openapi"),
    path("me", me.Me.as_view(), name="me"),
    path("me/tokens", tokens.PersonalTokenList.as_view(), name="personal-tokens"),
    path("me/tokens/<int:token_id>", tokens.PersonalTokenDetail.as_view(), name="personal-token"),
    path("realms", realms.RealmList.as_view(), name="realms"),
    path(f"{REALM}", realms.RealmDetail.as_view(), name="realm"),
    path(f"{REALM}/keys", keys.KeyList.as_view(), name="keys"),
    path(f"{REALM}/keys/<int:key_id>", keys.KeyDetail.as_view(), name="key"),
    path(f"{REALM}/keys/<int:key_id>/reveal", keys.KeySecret.as_view(), name="key-secret"),
    path(f"{REALM}/tokens", tokens.RealmTokenList.as_view(), name="realm-tokens"),
    path(f"{REALM}/tokens/<int:token_id>", tokens.RealmTokenDetail.as_view(), name="realm-token"),
    re_path(r"^(?P<path>.*)$", answer_not_found),
]
