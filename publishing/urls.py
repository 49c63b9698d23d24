"""Addresses of the compatible API that go through Django; publishing itself does not (`fanoutcloud.asgi`)."""

from django.urls import re_path

from publishing.compatible.origins import set_origin

app_name = "publishing"
urlpatterns = [
    re_path(r"^(?P<realm_id>[^/]+)/http/(?P<domain>[^/]+)/?$", set_origin, name="origin"),
]
