"""What templates of any app know of mails."""

from django.conf import settings
from django.http import HttpRequest


def mail_delivery(request: HttpRequest) -> dict[str, bool]:
    """Return whether mails are printed by the server: nobody should wait for one that goes nowhere else."""
    return {"mail_is_printed": not settings.EMAIL_HOST}
