"""Tasks of the realms app. Safe to run twice."""

from asgiref.sync import async_to_sync
from celery import shared_task

from realms import services
from realms.services.key_fetching import fetch_due_token_keys
from realms.services.proving import check_due_domains


@shared_task(name="realms.check_domains", ignore_result=True, soft_time_limit=540, time_limit=560)  # type: ignore[untyped-decorator]
def check_domains() -> None:
    """Look for the proofs of domains that it is time for."""
    async_to_sync(check_due_domains)()


@shared_task(name="realms.fetch_token_keys", ignore_result=True, soft_time_limit=540, time_limit=560)  # type: ignore[untyped-decorator]
def fetch_token_keys() -> None:
    """Fetch the customers' public keys that it is time for."""
    async_to_sync(fetch_due_token_keys)()


@shared_task(name="realms.remove_expired_sandboxes", ignore_result=True, soft_time_limit=55, time_limit=90)  # type: ignore[untyped-decorator]
def remove_expired_sandboxes() -> None:
    """Delete sandboxes that are over; the next run does what one could not."""
    services.remove_expired_sandboxes()


@shared_task(name="realms.forget_expired_revocations", ignore_result=True, soft_time_limit=60, time_limit=90)  # type: ignore[untyped-decorator]
def forget_expired_revocations() -> None:
    """Delete revocations of tokens that have expired; the next run does what one could not."""
    services.forget_expired_revocations()
