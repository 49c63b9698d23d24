"""Tasks of the realms app. Safe to run twice."""

from asgiref.sync import async_to_sync
from celery import shared_task

from realms import services
from realms.services.proving import check_due_domains


@shared_task(name="realms.check_domains", ignore_result=True, soft_time_limit=540, time_limit=560)  # type: ignore[untyped-decorator]
def check_domains() -> None:
    """Look for the proofs of domains that it is time for."""
    async_to_sync(check_due_domains)()


@shared_task(name="realms.forget_expired_revocations", ignore_result=True, soft_time_limit=60, time_limit=90)  # type: ignore[untyped-decorator]
def forget_expired_revocations() -> None:
    """Delete revocations of tokens that have expired; the next run does what one could not."""
    services.forget_expired_revocations()
