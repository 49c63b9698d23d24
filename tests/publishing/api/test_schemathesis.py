"""The API against its own OpenAPI document: whatever is sent, the answer is as the document says.

Schemathesis makes the requests, good and bad, and judges the answers; SCHEMATHESIS_EXAMPLES asks for more of them.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import hypothesis
import pytest
import schemathesis
from django.core import signals
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import strategies
from pytest_django.fixtures import Settings
from schemathesis.generation.meta import REQUEST_SHAPE_PROBES
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from accounts.models import User
from fanoutcloud.core.items import Item
from publishing.api.schema import openapi_document
from realms.services import CreatedRealm
from tests.publishing.api.callers import personal_token

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "3"))

#: What a pattern can't say.
schemathesis.openapi.format("label", strategies.text(strategies.sampled_from("aé 日-1"), max_size=80))
schemathesis.openapi.format("cursor", strategies.just(""))
schemathesis.openapi.format("etag", strategies.just("*"))
_BEGIN = datetime.now(UTC)
_TIMES = strategies.integers(1, 3000).map(lambda days: (_BEGIN + timedelta(days=days)).isoformat())
schemathesis.openapi.format("date-time", _TIMES)

#: The compatible API is answered outside of Django, device logins outside of DRF; both have their own tests.
schema = schemathesis.openapi.from_dict(openapi_document()).exclude(path_regex="^/(realm|accounts)/")
schema.app = get_wsgi_application()


#: Parameters that many operations share: what is wrong with one is sent to one operation of each method, not to all.
SHARED = {"realm_id", "cursor", "limit", "Idempotency-Key", "If-Match", "If-None-Match"}
_sent: dict[tuple[object, ...], str] = {}


def is_like_another(case: schemathesis.Case) -> bool:
    """Return whether another operation was sent the same about a parameter that both share."""
    phase = case.meta.phase.data if case.meta is not None else None
    parameter, scenario = getattr(phase, "parameter", None), getattr(phase, "scenario", None)
    if scenario is None or (parameter not in SHARED and scenario not in REQUEST_SHAPE_PROBES):
        return False
    about = (case.operation.method, case.method, parameter, scenario, getattr(phase, "description", None))
    return _sent.setdefault(about, case.operation.label) != case.operation.label


@pytest.fixture
def authorization(db: None, alice: User, settings: Settings) -> Iterator[str]:
    """Alice's API token. The database connection is the test's own, and stays open behind a request."""
    settings.API_REQUESTS_PER_MINUTE = 0
    signals.request_started.disconnect(close_old_connections)
    signals.request_finished.disconnect(close_old_connections)
    yield f"Bearer {personal_token(alice)}"
    signals.request_started.connect(close_old_connections)
    signals.request_finished.connect(close_old_connections)


def good_data_is_understood(context: object, response: schemathesis.Response, case: schemathesis.Case) -> None:
    """What the document allows is refused only for what no document can say, such as a name that is taken.

    In place of schemathesis' own `positive_data_acceptance`, which takes no refusal with 400 at all.
    """
    is_good = case.meta is not None and case.meta.generation.mode.is_positive
    if is_good and response.status_code in (400, 413, 415, 422):
        assert response.json()["code"] not in ("invalid_fields", "not_json", "unsupported_media_type"), response.text


@schema.parametrize()
@hypothesis.settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
def test_every_answer_is_as_the_document_says(
    case: schemathesis.Case, authorization: str, created: CreatedRealm, published: list[Item]
):
    if is_like_another(case):
        return
    if case.path_parameters.get("realm_id"):
        case.path_parameters["realm_id"] = created.realm.pk
    with transaction.atomic():
        case.call_and_validate(
            headers={"Authorization": authorization},
            # Who gets in without a credential is asked of every operation once, by test_crossing.
            excluded_checks=[positive_data_acceptance, ignored_auth],
            additional_checks=[good_data_is_understood],
        )
        transaction.set_rollback(True)
