"""Addresses of the realm pages; `onboarding.urls` adds the quick start."""

from django.urls import path

from realms.views import access, api_tokens, audit, domains, keys, members, realms, rules, usage, xmpp

app_name = "realms"
urlpatterns = [
    path("", realms.show_realms, name="list"),
    path("add/", realms.add_realm, name="add"),
    path("<slug:realm_id>/", realms.show_realm, name="detail"),
    path("<slug:realm_id>/label/", realms.change_label, name="label"),
    path("<slug:realm_id>/keys/add/", keys.add_key, name="key_add"),
    path("<slug:realm_id>/keys/<int:key_id>/reveal/", keys.reveal_key, name="key_reveal"),
    path("<slug:realm_id>/keys/<int:key_id>/revoke/", keys.revoke_key, name="key_revoke"),
    path("<slug:realm_id>/members/", members.show_members, name="members"),
    path("<slug:realm_id>/members/invite/", members.invite, name="invite"),
    path("<slug:realm_id>/members/<int:user_id>/role/", members.give_role, name="member_role"),
    path("<slug:realm_id>/members/<int:user_id>/remove/", members.remove, name="member_remove"),
    path("<slug:realm_id>/members/<int:user_id>/transfer/", members.transfer, name="transfer"),
    path("<slug:realm_id>/invitations/<int:invitation_id>/withdraw/", members.withdraw, name="invitation_withdraw"),
    path("<slug:realm_id>/tokens/", api_tokens.show_realm_tokens, name="tokens"),
    path("<slug:realm_id>/tokens/<int:token_id>/revoke/", api_tokens.drop_realm_token, name="token_revoke"),
    path("<slug:realm_id>/domains/", domains.show_domains, name="domains"),
    path("<slug:realm_id>/domains/add/", domains.add_domain, name="domain_add"),
    path("<slug:realm_id>/domains/<str:name>/", domains.show_domain, name="domain"),
    path("<slug:realm_id>/domains/<str:name>/settings/", domains.change_domain, name="domain_settings"),
    path("<slug:realm_id>/domains/<str:name>/check/", domains.check_domain, name="domain_check"),
    path("<slug:realm_id>/domains/<str:name>/remove/", domains.drop_domain, name="domain_remove"),
    path("<slug:realm_id>/rules/", rules.show_rules, name="rules"),
    path("<slug:realm_id>/rules/add/", rules.add, name="rule_add"),
    path("<slug:realm_id>/rules/<int:rule_id>/change/", rules.change, name="rule_change"),
    path("<slug:realm_id>/rules/<int:rule_id>/remove/", rules.remove, name="rule_remove"),
    path("<slug:realm_id>/access/", access.show_access, name="access"),
    path("<slug:realm_id>/access/examine/", access.examine_token, name="access_examine"),
    path("<slug:realm_id>/access/make/", access.make, name="access_make"),
    path("<slug:realm_id>/access/keys/add/", access.add_keys, name="access_keys_add"),
    path("<slug:realm_id>/access/keys/<int:key_set_id>/remove/", access.remove_keys, name="access_keys_remove"),
    path("<slug:realm_id>/access/revocations/add/", access.revoke, name="access_revoke"),
    path("<slug:realm_id>/access/revocations/<int:revocation_id>/withdraw/", access.withdraw, name="access_withdraw"),
    path("<slug:realm_id>/xmpp/", xmpp.show_xmpp, name="xmpp"),
    path("<slug:realm_id>/xmpp/admins/add/", xmpp.add_admin, name="xmpp_admin_add"),
    path("<slug:realm_id>/xmpp/admins/<int:admin_id>/remove/", xmpp.remove_admin, name="xmpp_admin_remove"),
    path("<slug:realm_id>/xmpp/stanzas/", xmpp.set_stanzas, name="xmpp_stanzas"),
    path("<slug:realm_id>/usage/", usage.show_usage, name="usage"),
    path("<slug:realm_id>/audit/", audit.show_audit, name="audit"),
    path("<slug:realm_id>/console/", realms.show_console, name="console"),
    path("<slug:realm_id>/delete/", realms.remove_realm, name="delete"),
]
