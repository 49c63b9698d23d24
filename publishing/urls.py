"""Addresses of the compatible API that go through Django; publishing itself does not (`fanoutcloud.asgi`)."""

from django.urls import re_path

from publishing.compatible.nowhere import answer_nowhere
from publishing.compatible.origins import set_origin
from publishing.compatible.request_subscriptions import change_request_subscriptions

app_name = "publishing"
urlpatterns = [
    re_path(r"^(?P<realm_id>[^/]+)/http/(?P<domain>[^/]+)/?$", set_origin, name="origin"),
    re_path(r"^(?P<realm_id>[^/]+)/channel/", change_request_subscriptions, name="request-subscriptions"),
    re_path(r"^(?P<realm_id>[^/]+)/(?P<path>.*)\Z", answer_nowhere, name="nowhere"),
]
