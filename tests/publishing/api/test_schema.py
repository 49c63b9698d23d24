"""The OpenAPI document."""

import io
from contextlib import redirect_stderr

from publishing.api.schema import openapi_document
from publishing.api.urls import urlpatterns
from tests.publishing.api.callers import Caller


def test_the_document_is_public_and_names_every_operation(nobody: Caller):
    answer = nobody.get("openapi.json")
    document = answer.json()

    assert answer.status_code == 200
    assert document["openapi"].startswith("3.1")
    resources = [pattern.callback.cls for pattern in urlpatterns if hasattr(pattern.callback, "cls")]
    wanted = {operation.id for resource in resources for operation in resource.operations.values()}
    told = {operation["operationId"] for path in document["paths"].values() for operation in path.values()}
    assert wanted <= told
    assert {"publish", "publishToChannel", "setOrigin"} <= told
    assert {"beginDeviceLogin", "claimDeviceLogin", "revokeDeviceToken"} <= told
    assert sum(len(resource.operations) for resource in resources) == len(wanted)


def test_the_document_is_made_without_a_warning():
    openapi_document.cache_clear()
    with redirect_stderr(io.StringIO()) as said:
        openapi_document()

    assert said.getvalue() == ""
