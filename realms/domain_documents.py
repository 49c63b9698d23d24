"""What is set for a domain, as it is kept in the database: `core.domains.Domain` as JSON, and back.

Members that are missing have their defaults, members that are unknown are skipped, so that rows outlive releases.
"""

import dataclasses
import logging
from typing import Any

import msgspec

from fanoutcloud.core.domains import Domain
from realms.models import RealmDomain

logger = logging.getLogger(__name__)

_IDENTITY = ("name", "challenge")


def write_document(domain: Domain) -> dict[str, Any]:
    """Return the settings of `domain` as a JSON object, without what makes it this one."""
    document: dict[str, Any] = msgspec.to_builtins(domain)
    return {name: value for name, value in document.items() if name not in _IDENTITY}


def read_domain(row: RealmDomain) -> Domain:
    """Return the domain as the delivery plane knows it. A row that can't be read has the defaults, and is logged."""
    try:
        settings = msgspec.convert(row.document, Domain)
    except msgspec.ValidationError:
        logger.exception("domain_not_readable", extra={"realm": row.realm_id, "domain": row.name})
        settings = Domain()
    return dataclasses.replace(settings, name=row.name, challenge=row.challenge if row.name else "")
