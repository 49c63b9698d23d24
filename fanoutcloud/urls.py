"""Every page of the dashboard. Subscribers and the publish API never come here: see `fanoutcloud.asgi`."""

from django.urls import include, path, re_path

from publishing.inspector.views import receive
from publishing.views import show_api, show_problems
from realms.views import device_logins
from realms.views.api_tokens import drop_personal_token, show_personal_tokens
from realms.views.members import answer_invitation

handler500 = "fanoutcloud.failure_pages.show_failure"
urlpatterns = [
    path("accounts/tokens/", show_personal_tokens, name="personal_tokens"),
    path("accounts/tokens/<int:token_id>/revoke/", drop_personal_token, name="personal_token_revoke"),
    path("accounts/device/", device_logins.show_device, name="device"),
    path("accounts/device/code/", device_logins.begin, name="device_begin"),
    path("accounts/device/token/", device_logins.claim, name="device_claim"),
    path("accounts/device/revoke/", device_logins.revoke, name="device_revoke"),
    path("accounts/", include("accounts.urls")),
    path("invitations/<str:secret>/", answer_invitation, name="invitation"),
    path("api/", show_api, name="api_page"),
    path("api/problems/", show_problems, name="api_problems"),
    path("api/v1/", include("publishing.api.urls")),
    re_path(r"^inspect/(?P<name>[0-9a-f]{24})/\Z", receive, name="inspect"),
    path("realm/", include("publishing.urls")),
    path("realms/", include("publishing.console.urls")),
    path("realms/<slug:realm_id>/webhooks/", include("publishing.webhooks.urls")),
    path("realms/", include("realms.urls")),
    path("", include("onboarding.urls")),
]
