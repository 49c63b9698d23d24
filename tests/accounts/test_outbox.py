"""Mail: a row first, sent once, tried again, and emptied when it has gone."""

import logging
import smtplib
from datetime import timedelta

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives, send_mail
from django.db import transaction
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts import services, tasks
from accounts.models import OutgoingEmail

Status = OutgoingEmail.Status
LINK = "http://localhost:8000/accounts/password/reset/key/1-secret/"


class BrokenMailServer:
    """An e-mail back end that refuses what it is given, quoting the address as SMTP servers do."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        pass

    def send_messages(self, messages: list[object]) -> int:
        raise smtplib.SMTPResponseException(451, b"try later, alice@example.com")


@pytest.fixture(autouse=True)
def _outbox(settings: Settings, db: None) -> None:
    # Django's and pytest-django's test set-up put a fake in place of the outbox.
    settings.EMAIL_BACKEND = "accounts.email.OutboxBackend"
    settings.EMAIL_DELIVERY_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


@pytest.fixture
def queued(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids that were handed to the task queue."""
    queued: list[int] = []
    monkeypatch.setattr(tasks.deliver_email, "apply_async", lambda args, **options: queued.append(*args))
    return queued


def store_mail() -> OutgoingEmail:
    send_mail("Reset your password", LINK, None, ["alice@example.com"])
    return OutgoingEmail.objects.get()


def break_mail_server(settings: Settings) -> None:
    settings.EMAIL_DELIVERY_BACKEND = f"{__name__}.{BrokenMailServer.__qualname__}"


def test_a_mail_is_stored_and_queued_after_the_commit(queued: list[int], django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        row = store_mail()
        assert queued == []

    assert queued == [row.pk]
    assert (row.status, row.recipients, row.body_text) == (Status.WAITING, ["alice@example.com"], LINK)
    assert mail.outbox == []


@pytest.mark.django_db(transaction=True)
def test_a_mail_of_a_transaction_that_is_rolled_back_is_never_sent(queued: list[int]):
    with transaction.atomic():
        store_mail()
        transaction.set_rollback(True)

    assert queued == []
    assert not OutgoingEmail.objects.exists()


def test_a_mail_arrives_as_it_was_written():
    message = EmailMultiAlternatives("Hello", "text", "Us <us@example.com>", ["alice@example.com"])
    message.attach_alternative("<p>html</p>", "text/html")
    message.send()

    assert services.deliver(OutgoingEmail.objects.get().pk)

    [sent] = mail.outbox
    assert (sent.subject, sent.body, sent.from_email, sent.to) == (
        "Hello",
        "text",
        "Us <us@example.com>",
        ["alice@example.com"],
    )
    assert isinstance(sent, EmailMultiAlternatives)
    assert [tuple(part) for part in sent.alternatives] == [("<p>html</p>", "text/html")]


def test_a_mail_that_has_gone_holds_no_link_any_more():
    row = store_mail()

    services.deliver(row.pk)

    row.refresh_from_db()
    assert (row.status, row.body_text, row.body_html, row.attempts) == (Status.SENT, "", "", 1)
    assert row.sent_at is not None


def test_a_mail_is_sent_once_however_often_its_task_runs():
    row = store_mail()

    assert [services.deliver(row.pk) for _ in range(3)] == [True, False, False]

    assert len(mail.outbox) == 1


def test_a_mail_that_another_worker_has_claimed_is_left_to_it():
    row = store_mail()
    assert services._claim(row.pk)

    assert not services.deliver(row.pk)
    assert mail.outbox == []


def test_a_mail_whose_worker_died_is_sent_after_a_while():
    row = store_mail()
    services._claim(row.pk)
    OutgoingEmail.objects.update(next_attempt_at=timezone.now())

    assert services.deliver(row.pk)


def test_a_mail_that_is_refused_is_tried_again_later_and_later(settings: Settings):
    row = store_mail()
    break_mail_server(settings)
    delays = []

    for _ in range(3):
        before = timezone.now()
        assert not services.deliver(row.pk)
        row.refresh_from_db()
        delays.append(round((row.next_attempt_at - before).total_seconds()))
        assert not services.deliver(row.pk), "not before it is due"
        OutgoingEmail.objects.update(next_attempt_at=timezone.now())

    assert delays == [30, 60, 120]
    assert (row.status, row.body_text) == (Status.WAITING, LINK)


def test_an_error_is_kept_and_logged_without_the_address(settings: Settings, caplog: pytest.LogCaptureFixture):
    row = store_mail()
    break_mail_server(settings)

    with caplog.at_level(logging.INFO):
        services.deliver(row.pk)

    row.refresh_from_db()
    assert row.last_error == "SMTPResponseException 451"
    assert "alice@example.com" not in caplog.text + str([vars(record) for record in caplog.records])


def test_a_mail_is_given_up_after_the_last_attempt_and_emptied(settings: Settings):
    row = store_mail()
    OutgoingEmail.objects.update(attempts=services.MAX_ATTEMPTS - 1)
    break_mail_server(settings)

    assert not services.deliver(row.pk)

    row.refresh_from_db()
    assert (row.status, row.body_text) == (Status.FAILED, "")
    assert services.list_due_ids(timezone.now() + timedelta(days=9)) == []


def test_the_sweep_queues_what_is_due_and_nothing_else(queued: list[int]):
    now = timezone.now()
    send_mail("due", "", None, ["alice@example.com"])
    send_mail("later", "", None, ["alice@example.com"])
    send_mail("sent", "", None, ["alice@example.com"])
    OutgoingEmail.objects.filter(subject="later").update(next_attempt_at=now + timedelta(minutes=5))
    OutgoingEmail.objects.filter(subject="sent").update(status=Status.SENT)

    tasks.sweep_outbox()

    assert queued == [OutgoingEmail.objects.get(subject="due").pk]


def test_line_breaks_in_a_subject_do_not_reach_the_mail():
    send_mail("Hello\n there", "", None, ["alice@example.com"])

    assert OutgoingEmail.objects.get().subject == "Hello there"
