"""The task queue as it runs inside the serving process: a real worker, a real beat, messages in memory."""

import signal
import threading
import time
from collections.abc import Callable

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.mail import send_mail
from pytest_django.fixtures import Settings

from accounts import services, tasks
from accounts.models import OutgoingEmail
from fanoutcloud import celery
from fanoutcloud.celery import app, run_embedded
from fanoutcloud.memory_queue import Arrivals

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE_S = 15.0


@pytest.fixture(autouse=True)
def _outbox(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "accounts.email.OutboxBackend"
    settings.EMAIL_DELIVERY_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def wait_for(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def is_sent() -> bool:
    return OutgoingEmail.objects.filter(status=OutgoingEmail.Status.SENT).exists()


def test_a_mail_leaves_the_process_without_redis():
    with run_embedded():
        send_mail("Hello", "text", None, ["alice@example.com"])
        wait_for(is_sent)

    assert [(sent.subject, sent.to) for sent in mail.outbox] == [("Hello", ["alice@example.com"])]


def test_a_mail_whose_task_was_lost_is_found_by_beat(monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as lost:
        lost.setattr(tasks.deliver_email, "apply_async", lambda *args, **options: None)
        send_mail("Hello", "text", None, ["alice@example.com"])
    entry = app.conf.beat_schedule["sweep_outbox"]
    monkeypatch.setitem(app.conf.beat_schedule, "sweep_outbox", entry | {"schedule": 0.2})

    with run_embedded():
        wait_for(is_sent)

    assert [sent.subject for sent in mail.outbox] == ["Hello"]


def test_it_can_be_ended_and_started_again_and_leaves_no_thread_and_no_signal_handler():
    threads_before = set(threading.enumerate())
    handlers_before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    for _ in range(2):
        with run_embedded():
            assert {thread.name for thread in threading.enumerate()} >= {"celery-worker", "celery-beat"}
        assert set(threading.enumerate()) == threads_before

    assert {number: signal.getsignal(number) for number in handlers_before} == handlers_before


def test_messages_and_the_end_are_told_and_not_looked_for(monkeypatch: pytest.MonkeyPatch):
    threads_before = set(threading.enumerate())
    patient_s, wait_beyond = 10 * PATIENCE_S, Arrivals.wait_beyond
    monkeypatch.setattr(celery, "BEAT_LOOK_UP_S", patient_s)
    monkeypatch.setattr(Arrivals, "wait_beyond", lambda self, count, timeout_s: wait_beyond(self, count, patient_s))

    with run_embedded():
        send_mail("Hello", "text", None, ["alice@example.com"])
        wait_for(is_sent)

    assert set(threading.enumerate()) == threads_before


def test_it_ends_in_time_although_a_task_hangs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(celery, "STOP_TIMEOUT_S", 0.3)
    is_hanging, may_end = threading.Event(), threading.Event()

    def hang(email_id: int) -> None:
        is_hanging.set()
        may_end.wait(PATIENCE_S)

    monkeypatch.setattr(services, "deliver", hang)
    with run_embedded():
        tasks.queue_delivery(1)
        assert is_hanging.wait(PATIENCE_S)
        asked_at = time.monotonic()
    took_s = time.monotonic() - asked_at
    may_end.set()

    assert took_s < PATIENCE_S  # for which the task goes on
    wait_for(lambda: "celery-worker" not in {thread.name for thread in threading.enumerate()})


def test_a_queue_that_is_out_of_reach_does_not_fail_the_request(monkeypatch: pytest.MonkeyPatch):
    connection = app.connection_for_write("redis://127.0.0.1:1/0", transport="redis")
    real = tasks.deliver_email.apply_async
    monkeypatch.setattr(
        tasks.deliver_email, "apply_async", lambda *args, **options: real(*args, connection=connection, **options)
    )

    started_at = time.monotonic()
    send_mail("Hello", "text", None, ["alice@example.com"])

    assert time.monotonic() - started_at < PATIENCE_S
    assert OutgoingEmail.objects.get().status == OutgoingEmail.Status.WAITING


def test_expired_sessions_are_cleared_and_live_ones_kept():
    expired, live = SessionStore(), SessionStore()
    expired.set_expiry(-60)
    for session in (expired, live):
        session["anything"] = 1
        session.save()

    tasks.clear_sessions()

    assert list(Session.objects.values_list("session_key", flat=True)) == [live.session_key]
