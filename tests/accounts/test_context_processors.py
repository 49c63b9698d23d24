"""Who waits for a mail is told when it goes nowhere."""

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings


@pytest.mark.django_db
@pytest.mark.parametrize(("host", "is_told"), [("", True), ("mail.example.com", False)])
def test_pages_that_promise_a_mail_say_when_it_is_only_printed(
    client: Client, settings: Settings, host: str, *, is_told: bool
) -> None:
    settings.EMAIL_HOST = host

    page = client.get(reverse("account_reset_password_done")).content.decode()

    assert ("mails are printed where the server runs" in page) == is_told
