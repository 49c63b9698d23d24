"""Addresses of the pages that ask the delivery plane; each waits in a thread of its own."""

from django.urls import path

from publishing.api.threads import in_own_thread
from publishing.console.connections import end_connection, show_connections
from publishing.console.items import publish_copy, show_item
from publishing.console.why import show_why

app_name = "console"
urlpatterns = [
    path("<slug:realm_id>/connections/", in_own_thread(show_connections), name="connections"),
    path("<slug:realm_id>/connections/end/", in_own_thread(end_connection), name="connection_end"),
    path("<slug:realm_id>/why/", in_own_thread(show_why), name="why"),
    path("<slug:realm_id>/console/item/", in_own_thread(show_item), name="item"),
    path("<slug:realm_id>/console/publish/", in_own_thread(publish_copy), name="publish"),
]
