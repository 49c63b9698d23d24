"""Telling every edge that a realm has changed, after the change is committed."""

import json
from collections.abc import Sequence
from functools import partial
from typing import cast

from django.apps import apps
from django.db import transaction

from fanoutcloud.broker.announcer import Announcer
from fanoutcloud.core.webhooks import NEWS_OF_ROWS, NEWS_TOPIC
from realms.apps import RealmsConfig
from realms.models import Realm

CONTROL_TOPIC = "control"


def announce_change(realm: Realm, *, hosts: Sequence[str] = ()) -> None:
    """Have every edge look the realm up again, once this transaction is committed.

    `hosts` are names that it has got or lost: whose they are is looked up again, too.
    """
    transaction.on_commit(partial(_announce, "realm_changed", realm.pk, hosts))


def announce_deletion(realm: Realm, *, hosts: Sequence[str] = ()) -> None:
    """Have every edge close the realm's subscribers, once this transaction is committed."""
    transaction.on_commit(partial(_announce, "realm_deleted", realm.pk, hosts))


def announce_webhooks() -> None:
    """Have workers look for webhooks that are due, once this transaction is committed."""
    transaction.on_commit(_announce_webhooks)


def _announce_webhooks() -> None:
    _announcer().announce(NEWS_TOPIC, NEWS_OF_ROWS)


def _announcer() -> Announcer:
    config = cast(RealmsConfig, apps.get_app_config("realms"))  # our own: see realms/apps.py
    return config.announcer


def _announce(kind: str, realm_id: str, hosts: Sequence[str]) -> None:
    message: dict[str, object] = {"type": kind, "realm": realm_id}
    payload = json.dumps(message | ({"hosts": list(hosts)} if hosts else {}), separators=(",", ":"))
    _announcer().announce(CONTROL_TOPIC, payload.encode())
