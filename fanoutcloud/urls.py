"""Every page of the dashboard. Subscribers and the publish API never come here: see `fanoutcloud.asgi`."""

from django.urls import include, path

urlpatterns = [
    path("accounts/", include("accounts.urls")),
    path("api/v1/", include("publishing.api.urls")),
    path("realm/", include("publishing.urls")),
    path("realms/", include("realms.urls")),
    path("", include("onboarding.urls")),
]
