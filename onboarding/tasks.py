"""Tasks of the onboarding app. Safe to run twice."""

from celery import shared_task
from django.conf import settings

from onboarding.status.services import forget_old_probes, run_probe


@shared_task(name="onboarding.probe", ignore_result=True, soft_time_limit=40, time_limit=50)  # type: ignore[untyped-decorator]
def probe() -> None:
    """Probe the service from outside. What a lost run would have found is a gap on the status page."""
    if settings.PROBES:
        run_probe()


@shared_task(name="onboarding.forget_old_probes", ignore_result=True, soft_time_limit=60, time_limit=90)  # type: ignore[untyped-decorator]
def forget() -> None:
    """Delete probes that no page shows any more."""
    forget_old_probes()
