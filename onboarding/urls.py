"""Addresses of the first page and the quick start."""

from django.urls import path

from onboarding import views

app_name = "onboarding"
urlpatterns = [
    path("", views.show_landing, name="landing"),
    path("realms/<slug:realm_id>/start/", views.show_quick_start, name="quick_start"),
    path("realms/<slug:realm_id>/start/send/", views.send, name="send"),
]
