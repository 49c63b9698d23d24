"""Addresses of the management API."""

from django.urls import path, re_path

from publishing.api import (
    access,
    audit,
    delivery,
    domains,
    items,
    keys,
    limits,
    me,
    members,
    presence,
    realms,
    request_subscriptions,
    rules,
    subscriber_tokens,
    tokens,
    usage,
)
from publishing.api.documents import show_asyncapi, show_openapi
from publishing.api.refusals import answer_not_found
from publishing.api.threads import in_own_thread

app_name = "api"
REALM = "realms/<slug:realm_id>"
urlpatterns = [
    path("openapi.json", show_openapi, name="openapi"),
    path("asyncapi.json", show_asyncapi, name="asyncapi"),
    path("me", me.Me.as_view(), name="me"),
    path("me/tokens", tokens.PersonalTokenList.as_view(), name="personal-tokens"),
    path("me/tokens/<int:token_id>", tokens.PersonalTokenDetail.as_view(), name="personal-token"),
    path("realms", realms.RealmList.as_view(), name="realms"),
    path(f"{REALM}", realms.RealmDetail.as_view(), name="realm"),
    path(f"{REALM}/keys", keys.KeyList.as_view(), name="keys"),
    path(f"{REALM}/keys/<int:key_id>", keys.KeyDetail.as_view(), name="key"),
    path(f"{REALM}/keys/<int:key_id>/reveal", keys.KeySecret.as_view(), name="key-secret"),
    path(f"{REALM}/members", members.MemberList.as_view(), name="members"),
    path(f"{REALM}/members/<int:user_id>", members.MemberDetail.as_view(), name="member"),
    path(f"{REALM}/owner", members.Ownership.as_view(), name="owner"),
    path(f"{REALM}/invitations", members.InvitationList.as_view(), name="invitations"),
    path(f"{REALM}/invitations/<int:invitation_id>", members.InvitationDetail.as_view(), name="invitation"),
    path(f"{REALM}/items", in_own_thread(items.Items.as_view()), name="items"),
    path(f"{REALM}/channels", in_own_thread(delivery.ChannelList.as_view()), name="channels"),
    path(f"{REALM}/channel", in_own_thread(delivery.ChannelDetail.as_view()), name="channel"),
    path(f"{REALM}/history", in_own_thread(delivery.History.as_view()), name="history"),
    path(f"{REALM}/connections", in_own_thread(delivery.ConnectionList.as_view()), name="connections"),
    path(
        f"{REALM}/connections/<str:connection>", in_own_thread(delivery.ConnectionDetail.as_view()), name="connection"
    ),
    path(f"{REALM}/disconnect", in_own_thread(delivery.Disconnect.as_view()), name="disconnect"),
    path(f"{REALM}/limits", limits.Limits.as_view(), name="limits"),
    path(f"{REALM}/audit", audit.AuditLog.as_view(), name="audit"),
    path(f"{REALM}/presence", in_own_thread(presence.Presence.as_view()), name="presence"),
    path(f"{REALM}/subscriber-tokens", subscriber_tokens.SubscriberTokens.as_view(), name="subscriber-tokens"),
    path(f"{REALM}/token-doctor", access.TokenDoctor.as_view(), name="token-doctor"),
    path(f"{REALM}/rules", rules.RuleList.as_view(), name="rules"),
    path(f"{REALM}/rules/match", rules.RuleMatch.as_view(), name="rule-match"),
    path(f"{REALM}/rules/<int:rule_id>", rules.RuleDetail.as_view(), name="rule"),
    path(
        f"{REALM}/request-subscriptions",
        request_subscriptions.SubscriptionList.as_view(),
        name="request-subscriptions",
    ),
    path(
        f"{REALM}/request-subscriptions/<int:subscription_id>",
        request_subscriptions.SubscriptionDetail.as_view(),
        name="request-subscription",
    ),
    path(f"{REALM}/usage", usage.RealmUsage.as_view(), name="usage"),
    path(f"{REALM}/revocations", access.RevocationList.as_view(), name="revocations"),
    path(f"{REALM}/revocations/<int:revocation_id>", access.RevocationDetail.as_view(), name="revocation"),
    path(f"{REALM}/revocations/tokens", access.TokenRevocation.as_view(), name="revoke-token"),
    path(f"{REALM}/revocations/users", access.UserRevocation.as_view(), name="revoke-user"),
    path(f"{REALM}/token-keys", access.KeySetList.as_view(), name="token-keys"),
    path(f"{REALM}/token-keys/<int:key_set_id>", access.KeySetDetail.as_view(), name="token-key-set"),
    path(f"{REALM}/domains", domains.DomainList.as_view(), name="domains"),
    path(f"{REALM}/domains/<str:domain>", domains.DomainDetail.as_view(), name="domain"),
    path(f"{REALM}/domains/<str:domain>/check", in_own_thread(domains.DomainCheck.as_view()), name="domain-check"),
    path("invitations/accept", members.AcceptInvitation.as_view(), name="accept-invitation"),
    path(f"{REALM}/tokens", tokens.RealmTokenList.as_view(), name="realm-tokens"),
    path(f"{REALM}/tokens/<int:token_id>", tokens.RealmTokenDetail.as_view(), name="realm-token"),
    re_path(r"^(?P<path>(?s:.*))\Z", answer_not_found),
]
