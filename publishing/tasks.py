"""Tasks of the publishing app. Each is safe to run twice; the time limits are for workers that hang."""

from celery import shared_task

from publishing.api.idempotency import forget_old_answers
from publishing.inspector.services import forget_old_requests
from publishing.webhooks.retention import forget_old_deliveries
from realms.audit import forget_old_entries
from realms.services.members import forget_old_invitations


@shared_task(name="publishing.forget_old_rows", ignore_result=True, soft_time_limit=60, time_limit=90)  # type: ignore[untyped-decorator]
def forget_old_rows() -> None:
    """Delete what is kept for a time: answers to repeated requests, inspected ones, invitations, the audit log."""
    forget_old_answers()
    forget_old_requests()
    forget_old_invitations()
    forget_old_entries()


@shared_task(name="publishing.forget_old_deliveries", ignore_result=True, soft_time_limit=240, time_limit=300)  # type: ignore[untyped-decorator]
def forget_webhook_deliveries() -> None:
    """Delete webhook deliveries that are over and older than is kept, with the log of their attempts."""
    forget_old_deliveries()
