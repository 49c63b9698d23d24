"""Addresses of the first page and the quick start."""

from django.urls import path

from onboarding import app_views, views

app_name = "onboarding"
urlpatterns = [
    path("", views.show_landing, name="landing"),
    path("realms/<slug:realm_id>/start/", views.show_quick_start, name="quick_start"),
    path("realms/<slug:realm_id>/start/app/", app_views.show_app_start, name="app_start"),
    path("realms/<slug:realm_id>/start/app/origin/", app_views.set_app_origin, name="app_origin"),
    path("realms/<slug:realm_id>/start/send/", views.send, name="send"),
]
