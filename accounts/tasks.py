"""Tasks of the accounts app. Each is safe to run twice; the time limits are for workers that hang."""

import logging

from celery import shared_task
from django.core.management import call_command
from django.utils import timezone
from kombu.exceptions import OperationalError as QueueUnavailable

from accounts import services

logger = logging.getLogger(__name__)


@shared_task(name="accounts.deliver_email", ignore_result=True, soft_time_limit=60, time_limit=90)  # type: ignore[untyped-decorator]
def deliver_email(email_id: int) -> None:
    """Send one mail of the outbox. Not retried here: a failed one is due later, and the sweep finds it."""
    services.deliver(email_id)


@shared_task(name="accounts.sweep_outbox", ignore_result=True, soft_time_limit=25, time_limit=60)  # type: ignore[untyped-decorator]
def sweep_outbox() -> None:
    """Queue the mails that are due: those postponed, and those whose message or process was lost."""
    for email_id in services.list_due_ids(timezone.now()):
        queue_delivery(email_id)


@shared_task(name="accounts.clear_sessions", ignore_result=True, soft_time_limit=300, time_limit=330)  # type: ignore[untyped-decorator]
def clear_sessions() -> None:
    """Delete sessions that have expired."""
    call_command("clearsessions")


def queue_delivery(email_id: int) -> None:
    """Ask a worker to send the mail now. When the queue can't be reached, the mail waits for the sweep."""
    try:
        deliver_email.apply_async((email_id,), retry=False)
    except QueueUnavailable:
        logger.warning("email_queue_unavailable", extra={"email_id": email_id})
