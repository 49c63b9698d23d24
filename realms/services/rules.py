"""Changes to a realm's channel rules. Each tells every edge, once it is committed."""

from django.db import transaction

from fanoutcloud.core.patterns import parse_pattern
from realms.announcements import announce_change
from realms.audit import Action, note
from realms.errors import RuleExists, RuleLimitReached, RuleNotFound
from realms.models import Realm, RealmRule
from realms.rule_settings import RuleSettings, check_settings, write_settings
from realms.services.locking import lock_realm

#: Each is in the snapshot that every edge keeps of the realm.
MAX_RULES_PER_REALM = 100


@transaction.atomic
def add_rule(*, realm: Realm, pattern: str, settings: RuleSettings) -> RealmRule:
    """Add a rule for the channels of `pattern`.

    Raises:
        InvalidRequest: the pattern is none.
        InvalidRule: a setting can't be used.
        RuleExists: the realm has a rule for this pattern.
        RuleLimitReached: the realm has `MAX_RULES_PER_REALM`.
    """
    text = str(parse_pattern(pattern))
    check_settings(settings)
    lock_realm(realm)
    if RealmRule.objects.filter(realm=realm, pattern=text).exists():
        raise RuleExists(text)
    if RealmRule.objects.filter(realm=realm).count() >= MAX_RULES_PER_REALM:
        raise RuleLimitReached(MAX_RULES_PER_REALM)
    row = RealmRule.objects.create(realm=realm, pattern=text, document=write_settings(settings))
    note(realm, Action.RULE_ADDED, text)
    announce_change(realm)
    return row


@transaction.atomic
def change_rule(*, realm: Realm, rule_id: int, pattern: str, settings: RuleSettings) -> RealmRule:
    """Replace what a rule says. Subscribers that may not be there any more are sent away.

    Raises:
        RuleNotFound: the realm has no such rule.
        InvalidRequest, InvalidRule, RuleExists: see `add_rule`.
    """
    text = str(parse_pattern(pattern))
    check_settings(settings)
    lock_realm(realm)
    row = _get_rule(realm, rule_id)
    if RealmRule.objects.filter(realm=realm, pattern=text).exclude(pk=row.pk).exists():
        raise RuleExists(text)
    row.pattern, row.document = text, write_settings(settings)
    row.save(update_fields=["pattern", "document"])
    note(realm, Action.RULE_CHANGED, text)
    announce_change(realm)
    return row


@transaction.atomic
def remove_rule(*, realm: Realm, rule_id: int) -> None:
    """Take a rule away: the next best holds for its channels, or none.

    Raises:
        RuleNotFound: the realm has no such rule.
    """
    lock_realm(realm)
    row = _get_rule(realm, rule_id)
    row.delete()
    note(realm, Action.RULE_REMOVED, row.pattern)
    announce_change(realm)


def _get_rule(realm: Realm, rule_id: int) -> RealmRule:
    row = RealmRule.objects.filter(realm=realm, pk=rule_id).first()
    if row is None:
        raise RuleNotFound
    return row
