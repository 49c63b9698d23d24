"""Sending the mails of the outbox."""

import logging
import smtplib
from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.db.models import F
from django.utils import timezone

from accounts.models import OutgoingEmail

logger = logging.getLogger(__name__)

#: About an hour of trying, which is well within the life of a password-reset link.
MAX_ATTEMPTS = 8
FIRST_RETRY_DELAY_S = 30.0
#: A claim this old belonged to a process that died: longer than a delivery may take (see `accounts.tasks`).
CLAIM_S = 120.0
#: How many mails one sweep queues; the next sweep takes the rest.
SWEEP_BATCH = 200

_OPEN = (OutgoingEmail.Status.WAITING, OutgoingEmail.Status.SENDING)


def deliver(email_id: int) -> bool:
    """Send the mail if it is due; return whether it went out.

    Safe to run twice, also at once: only who claims the row sends it. A process that dies between sending and
    storing that it sent leads to a second mail, with the same Message-ID.
    """
    mail = _claim(email_id)
    if mail is None:
        return False
    try:
        _hand_over(mail)
    except (OSError, smtplib.SMTPException) as error:
        _postpone(mail, error)
        return False
    _close(mail, OutgoingEmail.Status.SENT, sent_at=timezone.now())
    logger.info("email_sent", extra={"email_id": mail.pk, "attempts": mail.attempts})
    return True


def list_due_ids(now: datetime) -> list[int]:
    """Return the mails to try now, the longest due first, at most `SWEEP_BATCH`."""
    due = OutgoingEmail.objects.filter(status__in=_OPEN, next_attempt_at__lte=now)
    return list(due.order_by("next_attempt_at").values_list("pk", flat=True)[:SWEEP_BATCH])


def _claim(email_id: int) -> OutgoingEmail | None:
    now = timezone.now()
    claimed = OutgoingEmail.objects.filter(pk=email_id, status__in=_OPEN, next_attempt_at__lte=now).update(
        status=OutgoingEmail.Status.SENDING,
        attempts=F("attempts") + 1,
        next_attempt_at=now + timedelta(seconds=CLAIM_S),
    )
    return OutgoingEmail.objects.get(pk=email_id) if claimed else None


def _hand_over(mail: OutgoingEmail) -> None:
    message = EmailMultiAlternatives(
        subject=mail.subject,
        body=mail.body_text,
        from_email=mail.sender,
        to=mail.recipients,
        headers={"Message-ID": mail.message_id},
        connection=get_connection(settings.EMAIL_DELIVERY_BACKEND),
    )
    if mail.body_html:
        message.attach_alternative(mail.body_html, "text/html")
    message.send()


def _postpone(mail: OutgoingEmail, error: Exception) -> None:
    # The text of an SMTP error can quote addresses and the server's view of our password; the kind is enough.
    code = getattr(error, "smtp_code", None)
    kind = type(error).__name__ + (f" {code}" if code else "")
    if mail.attempts >= MAX_ATTEMPTS:
        _close(mail, OutgoingEmail.Status.FAILED, last_error=kind)
        logger.error("email_given_up", extra={"email_id": mail.pk, "error": kind})
        return
    delay_s = FIRST_RETRY_DELAY_S * 2 ** (mail.attempts - 1)
    mail.status = OutgoingEmail.Status.WAITING
    mail.next_attempt_at = timezone.now() + timedelta(seconds=delay_s)
    mail.last_error = kind
    mail.save(update_fields=["status", "next_attempt_at", "last_error"])
    logger.warning("email_postponed", extra={"email_id": mail.pk, "error": kind, "delay_s": delay_s})


def _close(
    mail: OutgoingEmail,
    status: OutgoingEmail.Status,
    *,
    last_error: str = "",
    sent_at: datetime | None = None,
) -> None:
    mail.status = status
    mail.last_error = last_error
    mail.sent_at = sent_at
    mail.body_text = mail.body_html = ""
    mail.save(update_fields=["status", "last_error", "sent_at", "body_text", "body_html"])
