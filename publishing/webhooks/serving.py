"""Which worker calls an endpoint: one at a time. So what is promised of an endpoint, how many calls at once, at which
pace, one after the other, holds however many workers there are, and no delivery needs a question to anybody.

An endpoint is taken with the first call that is due for it, for a short time that is prolonged while there is something
to do. Whoever is killed leaves it to others when that time is over.
"""

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from django.db import connection

from publishing.models import WebhookEndpoint

#: Prolonged when half of it is over.
SERVED_FOR = timedelta(seconds=6)

_TABLE = WebhookEndpoint._meta.db_table
#: What somebody else has locked is left for the next visit: nobody waits, and nobody locks crosswise.
_TAKE = (
    f"UPDATE {_TABLE} SET served_by = %s, served_until = %s WHERE id IN ("  # noqa: S608 - names of our own alone
    f"SELECT id FROM {_TABLE} WHERE id IN ({{ids}}) AND (served_by = %s OR served_until IS NULL OR served_until <= %s)"
    " ORDER BY id{lock}) RETURNING id"
)


class Serving:
    """The endpoints that one worker serves. Of one thread."""

    def __init__(self) -> None:
        self.name = secrets.token_hex(8)
        self._until: dict[int, datetime] = {}

    def take(self, due: Sequence[WebhookEndpoint], *, busy: Collection[int], most_new: int, now: datetime) -> set[int]:
        """Return which of those that something is due for are ours: a few new ones, and those that were.

        Those that are `busy` here stay ours, too. Blocks; one statement where a lease is to be begun or prolonged.
        """
        ours = [one.pk for one in due if self._until.get(one.pk, now) > now]
        others = [one.pk for one in due if self._until.get(one.pk, now) <= now][:most_new]
        soon = now + SERVED_FOR / 2
        old = [one for one in {*ours, *busy} if self._until.get(one, now) < soon]
        self._lease([*old, *others], now)
        self._until = {one: until for one, until in self._until.items() if until > now}
        return {one for one in (*ours, *others) if one in self._until}

    def let_go(self) -> None:
        """Leave all to others. Blocks."""
        mine = WebhookEndpoint.objects.filter(pk__in=list(self._until), served_by=self.name)
        self._until.clear()
        mine.update(served_by="", served_until=None)

    def _lease(self, ids: Sequence[int], now: datetime) -> None:
        if not ids:
            return
        lock = " FOR UPDATE SKIP LOCKED" if connection.features.has_select_for_update_skip_locked else ""
        until = now + SERVED_FOR
        statement = _TAKE.format(ids=", ".join(["%s"] * len(ids)), lock=lock)
        with connection.cursor() as cursor:
            cursor.execute(statement, (self.name, until, *ids, self.name, now))
            for (one,) in cursor.fetchall():
                self._until[one] = until
