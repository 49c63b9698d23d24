"""Tasks of the publishing app. Each is safe to run twice; the time limits are for workers that hang."""

from celery import shared_task

from publishing.api.idempotency import forget_old_answers
from realms.audit import forget_old_entries
from realms.services.members import forget_old_invitations


@shared_task(name="publishing.forget_old_rows", ignore_result=True, soft_time_limit=60, time_limit=90)  # type: ignore[untyped-decorator]
def forget_old_rows() -> None:
    """Delete what is kept for a time: answers to repeated requests, invitations that are over, the audit log."""
    forget_old_answers()
    forget_old_invitations()
    forget_old_entries()
