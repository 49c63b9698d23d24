"""Every page of the dashboard. Subscribers and the publish API never come here: see `fanoutcloud.asgi`."""

from importlib.util import find_spec

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [path("accounts/", include("accounts.urls"))]
if find_spec("realms.urls"):
    urlpatterns.append(path("realms/", include("realms.urls")))
if find_spec("onboarding.urls"):
    urlpatterns.append(path("", include("onboarding.urls")))
