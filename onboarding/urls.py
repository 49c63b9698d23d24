"""Addresses of the first page and the quick start."""

from django.urls import path

from onboarding import about_views, app_views, notify_views, sandbox_views, subscriber_views, views, webhook_views
from onboarding.docs import views as docs_views

app_name = "onboarding"
urlpatterns = [
    path("", views.show_landing, name="landing"),
    path("docs/", docs_views.show_docs, name="docs"),
    path("docs/search/", docs_views.search_docs, name="docs_search"),
    path("docs/img/<str:name>", docs_views.show_picture, name="docs_picture"),
    path("docs/<path:name>/", docs_views.show_document, name="document"),
    path("changelog/", docs_views.show_changelog, name="changelog"),
    path("plans/", about_views.show_plans, name="plans"),
    path("style/", about_views.show_style, name="style"),
    path("status/", about_views.show_status, name="status"),
    path("robots.txt", subscriber_views.show_robots, name="robots"),
    path("sandbox/", sandbox_views.open_sandbox, name="sandbox_open"),
    path("sandbox/send/", sandbox_views.send, name="sandbox_send"),
    path("sandbox/keep/", sandbox_views.ask_to_keep, name="sandbox_keep"),
    path("keep/<str:token>/", sandbox_views.confirm_keeping, name="keep_confirm"),
    path("s/<str:realm_id>/<path:channel>/", subscriber_views.show_subscriber, name="subscriber"),
    path("realms/<slug:realm_id>/start/", views.show_quick_start, name="quick_start"),
    path("realms/<slug:realm_id>/start/notify/", notify_views.show_notify_start, name="notify_start"),
    path("realms/<slug:realm_id>/start/webhooks/", webhook_views.show_webhook_start, name="webhook_start"),
    path("realms/<slug:realm_id>/start/webhooks/open/", webhook_views.open_receiver, name="webhook_open"),
    path("realms/<slug:realm_id>/start/webhooks/came/", webhook_views.show_came, name="webhook_came"),
    path("realms/<slug:realm_id>/start/app/", app_views.show_app_start, name="app_start"),
    path("realms/<slug:realm_id>/start/app/origin/", app_views.set_app_origin, name="app_origin"),
    path("realms/<slug:realm_id>/start/send/", views.send, name="send"),
]
