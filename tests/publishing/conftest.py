"""Callers of the management API."""

import pytest

from accounts.models import User
from tests.publishing.api.callers import Caller, caller_for


@pytest.fixture
def nobody(db: None) -> Caller:
    return Caller()


@pytest.fixture
def alices_caller(alice: User) -> Caller:
    return caller_for(alice)


@pytest.fixture
def charlies_caller(charlie: User) -> Caller:
    return caller_for(charlie)
