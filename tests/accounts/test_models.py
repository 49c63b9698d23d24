"""People."""

import pytest
from django.db import IntegrityError

from accounts.models import User

pytestmark = pytest.mark.django_db


def test_an_address_is_taken_whatever_its_case():
    User.objects.create_user("alice@example.com")

    with pytest.raises(IntegrityError):
        User.objects.create_user("Alice@Example.com")


def test_somebody_is_found_by_address_whatever_its_case(alice: User):
    assert User.objects.get_by_natural_key("ALICE@example.COM") == alice


def test_without_a_password_nobody_can_sign_in():
    user = User.objects.create_user("alice@example.com")

    assert not user.has_usable_password()


def test_a_user_needs_an_address():
    with pytest.raises(ValueError, match="e-mail address"):
        User.objects.create_user("")
