"""Channel rules: what holds for the channels of a realm, by name or prefix."""

from typing import Any, get_args

from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fanoutcloud.core.names import parse_channel_name
from fanoutcloud.core.rules import WebhookEvent, make_rules
from publishing.api.operations import Operation
from publishing.api.resources import RealmResource
from publishing.api.serializers import Fields, PageQuery, instant
from realms.models import RealmRule
from realms.models.access import MAX_PATTERN_CHARACTERS
from realms.roles import Role
from realms.rule_settings import (
    MAX_HISTORY_AGE_S,
    MAX_HISTORY_ITEMS,
    MAX_ITEM_BYTES,
    MAX_RATE,
    parse_settings,
    read_rule,
)
from realms.scopes import Scope
from realms.selectors import get_rule, list_rules
from realms.services import add_rule, change_rule, remove_rule


def _number(least: int, most: int, help_text: str) -> serializers.IntegerField:
    return serializers.IntegerField(
        required=False, allow_null=True, min_value=least, max_value=most, help_text=f"{help_text}; null: the realm's."
    )


class RuleBody(Fields):
    """A rule. What is left out is as ever."""

    pattern = serializers.CharField(
        max_length=MAX_PATTERN_CHARACTERS, trim_whitespace=False, help_text="`orders`, `orders.*`, or `*`."
    )
    access = serializers.ChoiceField(choices=["public", "token"], required=False)
    history_items = _number(0, MAX_HISTORY_ITEMS, "How many items are kept")
    history_age_s = _number(0, MAX_HISTORY_AGE_S, "How long they are kept, in seconds")
    presence = serializers.BooleanField(required=False, help_text="Who is there can be asked for.")
    join_leave = serializers.BooleanField(required=False, help_text="Subscribers are told who comes and goes.")
    client_publish = serializers.BooleanField(required=False, help_text="Whoever may subscribe may publish.")
    cache_last_item = serializers.BooleanField(required=False, help_text="Who subscribes gets the last item at once.")
    webhook_events = serializers.ListField(
        child=serializers.ChoiceField(choices=list(get_args(WebhookEvent))), required=False
    )
    item_bytes = _number(1, MAX_ITEM_BYTES, "How large an item may be")
    publish_per_s = _number(1, MAX_RATE, "How many items a second a channel takes")
    publish_burst = _number(1, MAX_RATE, "How many at once")


class RuleFields(RuleBody):
    """A rule as it is stored; settings that are as ever are left out."""

    id = serializers.IntegerField()
    created_at = serializers.DateTimeField()

    def to_representation(self, rule: RealmRule) -> dict[str, Any]:
        """Return the members of the answer."""
        return {"id": rule.pk, "pattern": rule.pattern, **rule.document, "created_at": instant(rule.created_at)}


class ChannelQuery(Fields):
    """Which channel."""

    is_text = True

    channel = serializers.CharField(trim_whitespace=False, max_length=512)


class MatchFields(Fields):
    """Which rules are for a channel, the one that holds first; none: it is public, and as the realm is."""

    channel = serializers.CharField()
    rules = RuleFields(many=True)


class RuleList(RealmResource):
    """The channel rules of a realm."""

    operations = {
        "GET": Operation(
            "listRules", "List channel rules", Scope.RULES_READ, Role.VIEWER,
            answers=RuleFields, query=PageQuery, has_pages=True,
        ),
        "POST": Operation(
            "addRule", "Add a channel rule", Scope.RULES_WRITE,
            about="It holds on every edge within a second. The most exact pattern wins.",
            takes=RuleBody, answers=RuleFields, status=201,
            example={"pattern": "orders.*", "access": "token", "presence": True},
        ),
    }  # fmt: skip

    def get(self, request: Request, realm_id: str) -> Response:
        """Answer with a page of rules, the oldest first."""
        return self.page(list_rules(self.realm))

    def post(self, request: Request, realm_id: str) -> Response:
        """Add one."""
        wishes = dict(self.body)
        rule = add_rule(realm=self.realm, pattern=wishes.pop("pattern"), settings=parse_settings(wishes))
        return self.answer(rule, location=reverse("api:rule", args=[self.realm.pk, rule.pk]))


class RuleDetail(RealmResource):
    """One channel rule."""

    has_state = True
    operations = {
        "GET": Operation("readRule", "Read a channel rule", Scope.RULES_READ, Role.VIEWER, answers=RuleFields),
        "PATCH": Operation(
            "changeRule", "Change a channel rule", Scope.RULES_WRITE,
            about="What is left out stays. Subscribers that may not be there any more are sent away.",
            takes=RuleBody, answers=RuleFields, example={"access": "public"},
        ),
        "DELETE": Operation("removeRule", "Remove a channel rule", Scope.RULES_WRITE, status=204),
    }  # fmt: skip

    def current(self) -> Any:
        """Return the rule as GET does."""
        return RuleFields(get_rule(self.realm, self.kwargs["rule_id"])).data

    def get(self, request: Request, realm_id: str, rule_id: int) -> Response:
        """Answer with the rule."""
        return self.answer(get_rule(self.realm, rule_id))

    def patch(self, request: Request, realm_id: str, rule_id: int) -> Response:
        """Change what came."""
        rule = get_rule(self.realm, rule_id)
        wishes = {**rule.document, **self.body}
        pattern = wishes.pop("pattern", rule.pattern)
        settings = parse_settings(wishes)
        return self.answer(change_rule(realm=self.realm, rule_id=rule_id, pattern=pattern, settings=settings))

    def delete(self, request: Request, realm_id: str, rule_id: int) -> Response:
        """Remove it."""
        remove_rule(realm=self.realm, rule_id=rule_id)
        return Response(status=204)


class RuleMatch(RealmResource):
    """A dry run."""

    operations = {
        "GET": Operation(
            "matchRules", "See which rule holds for a channel", Scope.RULES_READ, Role.VIEWER,
            answers=MatchFields, query=ChannelQuery,
        )
    }  # fmt: skip

    def get(self, request: Request, realm_id: str) -> Response:
        """Answer with the rules for the channel."""
        channel = parse_channel_name(self.query["channel"], field="channel")
        rows = {row.pattern: row for row in list_rules(self.realm)}
        rules = make_rules(read_rule(row.pattern, row.document) for row in rows.values())
        found = [RuleFields(rows[str(rule.pattern)]).data for rule in rules.matching(channel)]
        return Response({"channel": channel, "rules": found})
