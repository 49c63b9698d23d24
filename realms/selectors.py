"""Reading realms and their keys. `access_realm` is the one door from a user to a realm."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import Case, CharField, OuterRef, Q, QuerySet, Subquery, Value, When
from django.utils import timezone

from accounts.models import User
from fanoutcloud.core.jids import Jid
from fanoutcloud.core.names import ChannelName
from realms.actors import Actor
from realms.api_token_text import digest_of
from realms.errors import (
    ApiTokenNotFound,
    DeviceLoginNotFound,
    KeyNotFound,
    RealmNotFound,
    RequestSubscriptionNotFound,
    RevocationNotFound,
    RoleTooLow,
    RuleNotFound,
    ScopeMissing,
    TokenKeysNotFound,
)
from realms.hosts import own_hosts
from realms.membership_errors import InvitationNotFound, MemberNotFound
from realms.models import (
    ApiKey,
    ApiToken,
    AuditEntry,
    DeviceLogin,
    Invitation,
    Member,
    Realm,
    RealmDomain,
    RealmRule,
    RequestSubscription,
    Revocation,
    Sandbox,
    TokenKeySet,
    XmppAdmin,
    XmppReceiverChannel,
)
from realms.roles import Role
from realms.scopes import Scope
from realms.xmpp_errors import XmppAdminNotFound, XmppReceiverNotFound

#: Of one address; whoever has more names the realm.
MAX_REALMS_OF_XMPP_ADMIN = 100


@dataclass(frozen=True, slots=True)
class SiteUrls:
    """Where a realm is reached: `path_form` and `host_form` by subscribers, `api` by publishers."""

    realm: str
    path_form: str
    host_form: str
    api: str

    @property
    def host(self) -> str:
        """Return the name of the realm's own, as a browser's address bar shows it."""
        return self.host_form.partition("://")[2]

    def grip_url(self, secret: str) -> str:
        """Return the one setting of GRIP libraries: where to publish, as whom, and the key (Base64 text)."""
        return f"{self.api}?iss={quote(self.realm, safe='')}&key=base64:{quote(secret, safe='')}"


def access_realm(user: User | AnonymousUser, realm_id: str, *, at_least: Role = Role.DEVELOPER) -> Realm:
    """Return the realm with `role` set to the user's role in it, if that is `at_least` so much.

    What is only looked at asks for `Role.VIEWER`; the default is safe where somebody forgets to say. One query.

    Raises:
        RealmNotFound: there is no such realm, or the user is no member of it: the two look the same.
        RoleTooLow: the user is a member, with a lower role.
    """
    realm = _enterable(user).filter(pk=realm_id).first() if user.pk else None
    if realm is None:
        raise RealmNotFound(realm_id)
    role = Role(realm.role)
    if not role.is_at_least(at_least):
        raise RoleTooLow(role.value, at_least.value)
    return realm


def access_realm_as(actor: Actor, realm_id: str, *, at_least: Role, scope: Scope) -> Realm:
    """Return the realm as `access_realm` does, for somebody whose rights a credential may narrow.

    Raises:
        RealmNotFound: the credential does not open this realm, be there one or not.
        ScopeMissing: it opens it, but not for this.
        RoleTooLow: nor does its holder's role.
    """
    if actor.realm_id is None:
        realm = access_realm(actor.user or AnonymousUser(), realm_id, at_least=Role.VIEWER)
    else:
        found = Realm.objects.filter(pk=realm_id).first() if actor.realm_id == realm_id else None
        if found is None or actor.role is None:
            raise RealmNotFound(realm_id)
        realm = found
        realm.ask_as(actor.role.value)
    if scope not in actor.scopes:
        raise ScopeMissing(scope)
    if not Role(realm.role).is_at_least(at_least):
        raise RoleTooLow(realm.role, at_least.value)
    return realm


def list_realms(user: User | AnonymousUser) -> QuerySet[Realm]:
    """Return the realms that the user may enter, with `role` set, the oldest first."""
    return _enterable(user).order_by("created_at", "pk")


def list_realms_as(actor: Actor) -> QuerySet[Realm]:
    """Return the realms that the actor's credential opens, with `role` set, the oldest first."""
    if actor.realm_id is None:
        return list_realms(actor.user or AnonymousUser())
    role = Value(actor.role.value if actor.role else "", output_field=CharField())
    return Realm.objects.filter(pk=actor.realm_id).annotate(asker_role=role).order_by("created_at", "pk")


def _enterable(user: User | AnonymousUser) -> QuerySet[Realm]:
    own_role = Member.objects.filter(realm=OuterRef("pk"), user=user.pk).values("role")[:1]
    is_owner = When(owner=user.pk, then=Value(Role.OWNER.value))
    # By ids, and not by a join: the owner's index and the member's serve one half each.
    entered = Member.objects.filter(user=user.pk).values("realm")
    return Realm.objects.filter(Q(owner=user.pk) | Q(pk__in=entered)).annotate(
        asker_role=Case(is_owner, default=Subquery(own_role), output_field=CharField())
    )


def get_realm(realm_id: str) -> Realm:
    """Return the realm, for somebody who has proven a key of it, or raise `RealmNotFound`."""
    realm = Realm.objects.filter(pk=realm_id).first()
    if realm is None:
        raise RealmNotFound(realm_id)
    return realm


def domain_name_in_path(realm: Realm, text: str) -> str:
    """Return the name of the domain that a path names: `default` and the host form are the built-in one, ""."""
    name = text.lower().removesuffix(".")
    return "" if name in ("default", f"{realm.pk.lower()}.{own_hosts(settings).edge_host}") else name


def list_domains(realm: Realm) -> list[RealmDomain]:
    """Return the built-in domain, whether it is in the database or not, then the others by name."""
    built_in = RealmDomain.objects.built_in(realm).first() or RealmDomain(realm=realm, name="")
    return [built_in, *RealmDomain.objects.custom(realm)]


def find_sandbox(realm_id: str) -> Sandbox | None:
    """Return the sandbox, with its realm, if it lives and is nobody's; the caller knows that the visitor opened it."""
    live = Sandbox.objects.filter(expires_at__gt=timezone.now()).select_related("realm")
    return live.filter(realm=realm_id).first()


def find_api_token(digest: str) -> ApiToken | None:
    """Return the API token with this digest, expired or not, with its holder."""
    return ApiToken.objects.select_related("user").filter(digest=digest).first()


@dataclass(frozen=True, slots=True)
class MemberView:
    """A member of a realm, the owner included."""

    user_id: int
    email: str
    role: Role
    since: datetime


def list_members(realm: Realm) -> list[MemberView]:
    """Return the owner, then the other members, by address: `MAX_MEMBERS_PER_REALM` at most; of a sandbox, none."""
    owner = User.objects.filter(realms=realm).first()
    rows = Member.objects.filter(realm=realm).select_related("user").order_by("user__email", "pk")
    others = [MemberView(row.user_id, row.user.email, Role(row.role), row.created_at) for row in rows]
    first = [MemberView(owner.pk, owner.email, Role.OWNER, realm.created_at)] if owner else []
    return [*first, *others]


def get_member(realm: Realm, user_id: int) -> MemberView:
    """Return a member of the realm, or raise `MemberNotFound`."""
    found = next((member for member in list_members(realm) if member.user_id == user_id), None)
    if found is None:
        raise MemberNotFound
    return found


def list_invitations(realm: Realm) -> QuerySet[Invitation]:
    """Return the realm's invitations that can still be accepted, the oldest first."""
    return Invitation.objects.filter(realm=realm, expires_at__gt=timezone.now()).order_by("pk")


def get_invitation(realm: Realm, invitation_id: int) -> Invitation:
    """Return an open invitation of the realm, or raise `InvitationNotFound`."""
    found = list_invitations(realm).filter(pk=invitation_id).first()
    if found is None:
        raise InvitationNotFound
    return found


def find_invitation(secret: str) -> Invitation | None:
    """Return the open invitation whose link holds `secret`."""
    open_ones = Invitation.objects.filter(expires_at__gt=timezone.now())
    return open_ones.select_related("realm", "invited_by").filter(digest=digest_of(secret)).first()


def get_personal_token(user: User, token_id: int) -> ApiToken:
    """Return the person's API token, or raise `ApiTokenNotFound`."""
    return _get_token(list_personal_tokens(user), token_id)


def get_realm_token(realm: Realm, token_id: int) -> ApiToken:
    """Return the realm's API token, or raise `ApiTokenNotFound`."""
    return _get_token(list_realm_tokens(realm), token_id)


def list_personal_tokens(user: User) -> QuerySet[ApiToken]:
    """Return the person's API tokens, the oldest first."""
    return ApiToken.objects.filter(user=user).order_by("pk")


def get_device_login(code: str) -> DeviceLogin:
    """Return the request of the program that shows `code`, undecided and in time, or raise `DeviceLoginNotFound`."""
    letters = "".join(letter for letter in code.upper() if letter.isalnum())
    waiting = DeviceLogin.objects.filter(expires_at__gt=timezone.now(), approved_by__isnull=True, is_denied=False)
    login = waiting.filter(user_code=letters).first() if letters else None
    if login is None:
        raise DeviceLoginNotFound
    return login


def list_realm_tokens(realm: Realm) -> QuerySet[ApiToken]:
    """Return the realm's API tokens, the oldest first."""
    return ApiToken.objects.filter(realm=realm).order_by("pk")


def list_rules(realm: Realm) -> QuerySet[RealmRule]:
    """Return the realm's channel rules, the oldest first."""
    return RealmRule.objects.filter(realm=realm).order_by("pk")


def get_rule(realm: Realm, rule_id: int) -> RealmRule:
    """Return a channel rule of the realm, or raise `RuleNotFound`."""
    rule = list_rules(realm).filter(pk=rule_id).first()
    if rule is None:
        raise RuleNotFound
    return rule


def list_revocations(realm: Realm) -> QuerySet[Revocation]:
    """Return the realm's revocations of tokens that could still be shown, the oldest first."""
    return Revocation.objects.effective(realm, timezone.now()).order_by("pk")


def get_revocation(realm: Realm, revocation_id: int) -> Revocation:
    """Return a revocation of the realm, or raise `RevocationNotFound`."""
    row = list_revocations(realm).filter(pk=revocation_id).first()
    if row is None:
        raise RevocationNotFound
    return row


def list_token_keys(realm: Realm) -> QuerySet[TokenKeySet]:
    """Return the realm's sets of public keys, the oldest first."""
    return TokenKeySet.objects.filter(realm=realm).order_by("pk")


def get_token_keys(realm: Realm, key_set_id: int) -> TokenKeySet:
    """Return a set of public keys of the realm, or raise `TokenKeysNotFound`."""
    row = list_token_keys(realm).filter(pk=key_set_id).first()
    if row is None:
        raise TokenKeysNotFound
    return row


def list_request_subscriptions(realm: Realm, *, channel: ChannelName | None = None) -> QuerySet[RequestSubscription]:
    """Return the URLs that are called for the realm's channels, or for one of them, the oldest first."""
    rows = RequestSubscription.objects.filter(realm=realm).order_by("pk")
    return rows if channel is None else rows.filter(channel=channel)


def get_request_subscription(realm: Realm, subscription_id: int) -> RequestSubscription:
    """Return a URL that is called, with its channel, or raise `RequestSubscriptionNotFound`."""
    row = list_request_subscriptions(realm).filter(pk=subscription_id).first()
    if row is None:
        raise RequestSubscriptionNotFound
    return row


def list_xmpp_admins(realm: Realm) -> QuerySet[XmppAdmin]:
    """Return the XMPP addresses that may administer the realm, the oldest first."""
    return XmppAdmin.objects.filter(realm=realm).order_by("pk")


def list_realms_of_xmpp_admin(jid: Jid) -> list[str]:
    """Return the ids of realms that an address may administer: by its own name, or as one of its domain."""
    addresses = (str(jid.bare), f"@{jid.domain}")
    found = XmppAdmin.objects.filter(address__in=addresses).order_by("realm_id").values_list("realm_id", flat=True)
    return list(found.distinct()[:MAX_REALMS_OF_XMPP_ADMIN])


def get_xmpp_admin(realm: Realm, admin_id: int) -> XmppAdmin:
    """Return an address on the realm's list, or raise `XmppAdminNotFound`."""
    row = list_xmpp_admins(realm).filter(pk=admin_id).first()
    if row is None:
        raise XmppAdminNotFound
    return row


def list_xmpp_receivers(realm: Realm, *, channel: str = "") -> QuerySet[XmppReceiverChannel]:
    """Return which address gets the stanzas of which channel, or of one, the oldest first."""
    rows = XmppReceiverChannel.objects.filter(receiver__realm=realm).select_related("receiver").order_by("pk")
    return rows.filter(channel=channel) if channel else rows


def get_xmpp_receiver(realm: Realm, receiver_channel_id: int) -> XmppReceiverChannel:
    """Return an address with its channel, or raise `XmppReceiverNotFound`."""
    row = list_xmpp_receivers(realm).filter(pk=receiver_channel_id).first()
    if row is None:
        raise XmppReceiverNotFound
    return row


def list_audit_entries(
    realm: Realm,
    *,
    action: str = "",
    actor: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[AuditEntry]:
    """Return what was changed in the realm, the newest first, or what of it fits."""
    rows = AuditEntry.objects.of_realm(realm).order_by("-pk")
    rows = rows.filter(action=action) if action else rows
    rows = rows.filter(actor=actor) if actor else rows
    rows = rows.filter(at__gte=since) if since else rows
    return rows.filter(at__lt=until) if until else rows


def get_live_key(realm: Realm, key_id: int) -> ApiKey:
    """Return a key of the realm, or raise `KeyNotFound`."""
    key = ApiKey.objects.live(realm).filter(pk=key_id).first()
    if key is None:
        raise KeyNotFound
    return key


def find_revoked_key(realm: Realm, hint: str) -> ApiKey | None:
    """Return the key of the realm that was revoked last and whose text ends so, or None."""
    return ApiKey.objects.filter(realm=realm, hint=hint, revoked_at__isnull=False).order_by("-revoked_at").first()


def list_live_keys(realm: Realm) -> QuerySet[ApiKey]:
    """Return the realm's keys that are not revoked, the oldest first."""
    return ApiKey.objects.live(realm)


def site_urls(realm: Realm) -> SiteUrls:
    """Return the addresses of the realm's site and API on this installation."""
    scheme = urlsplit(settings.PUBLIC_URL).scheme
    return SiteUrls(
        realm=realm.pk,
        path_form=f"{settings.PUBLIC_URL}/r/{realm.pk}",
        host_form=f"{scheme}://{realm.pk}.{settings.EDGE_DOMAIN}",
        api=f"{settings.PUBLIC_URL}/realm/{realm.pk}",
    )


def _get_token(tokens: QuerySet[ApiToken], token_id: int) -> ApiToken:
    token = tokens.filter(pk=token_id).first()
    if token is None:
        raise ApiTokenNotFound
    return token
