"""Usage by program."""

from datetime import date

import pytest

from fanoutcloud.core.names import RealmId
from fanoutcloud.core.usage import Usage
from publishing.api.schema import openapi_document
from realms.services import CreatedRealm, add_usage
from tests.publishing.api.callers import Caller


def test_the_references_example_is_answered(alices_caller: Caller, created: CreatedRealm):
    add_usage(date(2026, 11, 23), {RealmId(created.realm.pk): Usage(2, 3, 4, 1, 2, 0)}, process="a")

    answer = alices_caller.get(f"realms/{created.realm.pk}/usage?from=2026-11-23&to=2026-11-23")

    [operation] = [path["get"] for name, path in openapi_document()["paths"].items() if name.endswith("/usage")]
    example = operation["responses"]["200"]["content"]["application/json"]["example"]
    assert answer.json() == example
    assert example["total"]["total_ops"] == 7


def test_without_a_range_it_is_the_last_30_days(alices_caller: Caller, created: CreatedRealm):
    assert len(alices_caller.get(f"realms/{created.realm.pk}/usage").json()["days"]) == 30


@pytest.mark.parametrize("query", ["from=2026-11-23&to=2026-11-22", "from=x", "from=2000-01-01&to=2026-01-01"])
def test_a_wrong_range_is_refused(alices_caller: Caller, created: CreatedRealm, query: str):
    answer = alices_caller.get(f"realms/{created.realm.pk}/usage?{query}")

    assert (answer.status_code, answer.json()["field"]) == (400, "from")
