"""Telling every edge that a realm has changed, after the change is committed."""

import json
from functools import partial
from typing import cast

from django.apps import apps
from django.db import transaction

from realms.apps import RealmsConfig
from realms.models import Realm

CONTROL_TOPIC = "control"


def announce_change(realm: Realm) -> None:
    """Have every edge look the realm up again, once this transaction is committed."""
    transaction.on_commit(partial(_announce, "realm_changed", realm.pk))


def announce_deletion(realm: Realm) -> None:
    """Have every edge close the realm's subscribers, once this transaction is committed."""
    transaction.on_commit(partial(_announce, "realm_deleted", realm.pk))


def _announce(kind: str, realm_id: str) -> None:
    config = cast(RealmsConfig, apps.get_app_config("realms"))  # our own: see realms/apps.py
    payload = json.dumps({"type": kind, "realm": realm_id}, separators=(",", ":"))
    config.announcer.announce(CONTROL_TOPIC, payload.encode())
