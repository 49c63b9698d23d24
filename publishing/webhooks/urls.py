"""Addresses of the Webhooks pages, below those of a realm."""

from django.urls import path, re_path

from publishing.inspector import views as inspectors
from publishing.webhooks import delivery_views, views

app_name = "webhooks"
urlpatterns = [
    path("", views.show_endpoints, name="list"),
    path("add/", views.add_endpoint, name="add"),
    path("deliveries/", delivery_views.show_deliveries, name="deliveries"),
    path("deliveries/<int:delivery_id>/", delivery_views.show_delivery, name="delivery"),
    path("deliveries/<int:delivery_id>/replay/", delivery_views.replay_one, name="replay_one"),
    path("inspectors/open/", inspectors.open_one, name="inspector_open"),
    path("inspectors/<int:inspector_id>/", inspectors.show_inspector, name="inspector"),
    path("inspectors/<int:inspector_id>/close/", inspectors.close_one, name="inspector_close"),
    path("<int:endpoint_id>/", views.show_endpoint, name="endpoint"),
    path("<int:endpoint_id>/settings/", views.change_endpoint, name="change"),
    re_path(r"^(?P<endpoint_id>[0-9]{1,18})/(?P<deed>pause|disable|resume)/$", views.change_state, name="state"),
    path("<int:endpoint_id>/remove/", views.remove_endpoint, name="remove"),
    path("<int:endpoint_id>/reveal/", views.reveal_secrets, name="reveal"),
    path("<int:endpoint_id>/rotate/", views.rotate_secret, name="rotate"),
    path("<int:endpoint_id>/test/", views.send_test, name="test"),
    path("<int:endpoint_id>/replay/", views.replay, name="replay"),
    path("<int:endpoint_id>/missed/", views.send_missed, name="missed"),
]
