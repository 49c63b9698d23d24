"""Why something did not arrive, or did: for a message, a channel, a user, a connection (docs/topics/why.md)."""

from datetime import UTC, datetime
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fanoutcloud.core.why import Recipient
from publishing.api.operations import Operation
from publishing.api.planes import get_plane
from publishing.api.resources import RealmResource
from publishing.api.serializers import Fields, instant
from publishing.why.answers import SEVERITIES, Answer, Event, Finding, ItemStory
from publishing.why.explaining import KINDS, MAX_ABOUT_CHARACTERS, explain
from publishing.why.texts import UNSEEN
from realms.roles import Role
from realms.scopes import Scope


class FindingFields(Fields):
    """One thing that was found."""

    code = serializers.CharField(help_text="Stable, for programs.")
    severity = serializers.ChoiceField(choices=SEVERITIES)
    title = serializers.CharField()
    cause = serializers.CharField()
    cure = serializers.CharField(allow_blank=True)
    count = serializers.IntegerField(help_text="How often, or how many recipients.")
    first_at = serializers.DateTimeField(allow_null=True)
    last_at = serializers.DateTimeField(allow_null=True)
    where = serializers.CharField(allow_blank=True, help_text="An address, an origin, a key, a connection, a name.")

    def to_representation(self, finding: Finding) -> dict[str, Any]:
        """Return the members of the answer."""
        return {
            "code": finding.code,
            "severity": finding.severity,
            "title": finding.title,
            "cause": finding.cause,
            "cure": finding.cure,
            "count": finding.count,
            "first_at": _moment(finding.first_at),
            "last_at": _moment(finding.last_at),
            "where": finding.where,
        }


class RecipientFields(Fields):
    """What became of an item for one connection."""

    connection = serializers.CharField()
    transport = serializers.CharField()
    user = serializers.CharField(allow_blank=True)
    outcome = serializers.CharField()
    detail = serializers.CharField(allow_blank=True)

    def to_representation(self, recipient: Recipient) -> dict[str, Any]:
        """Return the members of the answer."""
        return {name: getattr(recipient, name) for name in ("connection", "transport", "user", "outcome", "detail")}


class ItemStoryFields(Fields):
    """One item, over all processes."""

    channel = serializers.CharField()
    position = serializers.CharField()
    id = serializers.CharField(allow_blank=True)
    at = serializers.DateTimeField()
    formats = serializers.ListField(child=serializers.CharField())
    outcomes = serializers.DictField(child=serializers.IntegerField(), help_text="Outcome → how many recipients.")
    recipients = RecipientFields(many=True, help_text="Some of them, those first that did not get it.")
    members = serializers.IntegerField(help_text="Who has the channel now.")
    looked_at = serializers.IntegerField(help_text="Of these; all but in crowds of more than 5,000 in one process.")

    def to_representation(self, story: ItemStory) -> dict[str, Any]:
        """Return the members of the answer."""
        return {
            "channel": story.channel,
            "position": story.position,
            "id": story.id,
            "at": _moment(story.at),
            "formats": story.formats,
            "outcomes": story.outcomes,
            "recipients": RecipientFields(story.recipients, many=True).data,
            "members": story.members,
            "looked_at": story.looked_at,
        }


class EventFields(Fields):
    """A line of the timeline."""

    at = serializers.DateTimeField()
    kind = serializers.CharField()
    text = serializers.CharField()
    detail = serializers.CharField(allow_blank=True)

    def to_representation(self, event: Event) -> dict[str, Any]:
        """Return the members of the answer."""
        return {"at": _moment(event.at), "kind": event.kind, "text": event.text, "detail": event.detail}


class UnseenFields(Fields):
    """A mistake that no server can see."""

    code = serializers.CharField()
    title = serializers.CharField()
    tell = serializers.CharField(help_text="How to tell.")
    cure = serializers.CharField()


class WhyFields(Fields):
    """What happened, as far as it is known."""

    about = serializers.CharField()
    kind = serializers.ChoiceField(choices=KINDS)
    summary = serializers.CharField(help_text="The likeliest cause in a sentence.")
    findings = FindingFields(many=True, help_text="Faults first, and of these what is about the very thing asked for.")
    items = ItemStoryFields(many=True)
    timeline = EventFields(many=True)
    unseen = UnseenFields(many=True, help_text="Where to look when nothing is wrong here.")
    exact_since = serializers.DateTimeField(help_text="Records are complete since then.")
    sampled_since = serializers.DateTimeField(help_text="Of items before that, one in `sample_every` is known.")
    sample_every = serializers.IntegerField()
    missing = serializers.ListField(child=serializers.CharField(), help_text="Processes that did not answer in time.")

    def to_representation(self, answer: Answer) -> dict[str, Any]:
        """Return the members of the answer."""
        return {
            "about": answer.about,
            "kind": answer.kind,
            "summary": answer.summary,
            "findings": FindingFields(answer.findings, many=True).data,
            "items": ItemStoryFields(answer.items, many=True).data,
            "timeline": EventFields(answer.timeline, many=True).data,
            "unseen": [one._asdict() for one in UNSEEN],
            "exact_since": _moment(answer.exact_since),
            "sampled_since": _moment(answer.sampled_since),
            "sample_every": answer.sample_every,
            "missing": list(answer.missing),
        }


class WhyQuery(Fields):
    """About what."""

    is_text = True

    about = serializers.CharField(
        max_length=MAX_ABOUT_CHARACTERS, trim_whitespace=False,
        help_text="The id or position of a message, a channel, a user, or the id of a connection.",
    )  # fmt: skip
    kind = serializers.ChoiceField(required=False, choices=KINDS, help_text="Which; else what exists is found.")


class Why(RealmResource):
    """What happened, and why."""

    operations = {
        "GET": Operation(
            "explain", "Ask why", Scope.CONNECTIONS_READ, Role.VIEWER,
            about="What became of a message for each recipient; what is wrong with a channel, a user or a connection; "
            "also publishes and subscribers that were turned away, those whose credentials did not hold among them.",
            answers=WhyFields, query=WhyQuery,
        )
    }  # fmt: skip

    def get(self, request: Request, realm_id: str) -> Response:
        """Answer with what is known."""
        query = self.query
        return self.answer(explain(get_plane(), self.realm, about=query["about"], kind=query.get("kind", "")))


def _moment(seconds: float) -> str | None:
    return instant(datetime.fromtimestamp(seconds, UTC)) if seconds else None
