"""Tasks of the realms app. Safe to run twice."""

from asgiref.sync import async_to_sync
from celery import shared_task

from realms.services.proving import check_due_domains


@shared_task(name="realms.check_domains", ignore_result=True, soft_time_limit=540, time_limit=560)  # type: ignore[untyped-decorator]
def check_domains() -> None:
    """Look for the proofs of domains that it is time for."""
    async_to_sync(check_due_domains)()
