"""Changes to the public keys that a customer signs tokens with. Each tells every edge, once it is committed."""

from django.db import transaction

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.public_keys import MAX_PUBLIC_KEYS, parse_key_set
from fanoutcloud.outbound.errors import Blocked
from realms.announcements import announce_change
from realms.audit import Action, note
from realms.errors import InvalidTokenKeys, TokenKeyLimitReached, TokenKeysNotFound
from realms.models import Realm, TokenKeySet
from realms.services.key_fetching import key_set_target
from realms.services.labels import clean_label
from realms.services.locking import lock_realm
from realms.services.sandbox_rules import refuse_in_sandbox

MAX_KEY_SETS_PER_REALM = 10
MAX_ISSUER_CHARACTERS = 512


@transaction.atomic
def add_token_keys(
    *, realm: Realm, document: str = "", url: str = "", label: str = "", issuer: str = ""
) -> TokenKeySet:
    """Accept tokens signed with the private halves of these keys: a JWK set or one JWK, or what is at `url`.

    What is at a URL has to be fetched then (`services.key_fetching`), and is fetched again from time to time.
    `issuer` is what their `iss` must be; without it, the realm's id or nothing.

    Raises:
        InvalidTokenKeys: it is no JWK set, or a key can't be used; names its place.
        TokenKeyLimitReached: the realm has `MAX_KEY_SETS_PER_REALM`, or `MAX_PUBLIC_KEYS` keys in them.
        InvalidLabel: `label` is too long or holds a control character.
        NotInSandbox: there is a `url`, and the realm belongs to nobody.
    """
    if url:
        refuse_in_sandbox(realm, "fetch keys from a URL")
    issuer = clean_issuer(issuer)
    try:
        count = 0 if url else len(parse_key_set(document, source="p"))
        url = key_set_target(url.strip()).url if url else ""
    except InvalidRequest as error:
        raise InvalidTokenKeys(error.message, cure=error.cure, field=error.field) from None
    except Blocked as error:
        raise InvalidTokenKeys(str(error), cure="use the https URL of a JWK set", field="url") from None
    lock_realm(realm)
    _check_room(realm, count)
    document = "" if url else document
    row = TokenKeySet.objects.create(realm=realm, label=clean_label(label), issuer=issuer, document=document, url=url)
    note(realm, Action.PUBLIC_KEYS_ADDED, _thing(row))
    announce_change(realm)
    return row


@transaction.atomic
def remove_token_keys(*, realm: Realm, key_set_id: int) -> None:
    """Accept these keys no more; connections that came by them end.

    Raises:
        TokenKeysNotFound: the realm has no such key set.
    """
    row = TokenKeySet.objects.select_for_update().filter(realm=realm, pk=key_set_id).first()
    if row is None:
        raise TokenKeysNotFound
    thing = _thing(row)
    row.delete()
    note(realm, Action.PUBLIC_KEYS_REMOVED, thing)
    announce_change(realm)


def clean_issuer(issuer: str) -> str:
    """Return the issuer without blanks around it.

    Raises:
        InvalidTokenKeys: it is too long, or holds a control character.
    """
    issuer = issuer.strip()
    if len(issuer) > MAX_ISSUER_CHARACTERS or not issuer.isprintable():
        raise InvalidTokenKeys(
            "can't be used", cure=f"use at most {MAX_ISSUER_CHARACTERS} printable characters", field="issuer"
        )
    return issuer


def _check_room(realm: Realm, more: int) -> None:
    sets = list(TokenKeySet.objects.filter(realm=realm))
    keys = sum(len(parse_key_set(row.document, source="p")) for row in sets if not row.url)
    if len(sets) >= MAX_KEY_SETS_PER_REALM or keys + more > MAX_PUBLIC_KEYS:
        raise TokenKeyLimitReached(len(sets), keys)


def _thing(row: TokenKeySet) -> str:
    """Return what the log calls the keys: not their URL, which may hold a credential."""
    return f"public keys {row.pk} {row.label or row.issuer}".rstrip()
