"""The outbox: mails are stored first, then sent by a task."""

from collections.abc import Sequence
from email.utils import make_msgid
from functools import partial
from typing import Any

from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction

from accounts.models import OutgoingEmail
from accounts.tasks import queue_delivery


class OutboxBackend(BaseEmailBackend):
    """Django e-mail back end that stores each mail, and queues its delivery once that is committed."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Store the mails; return how many."""
        for message in email_messages:
            row = OutgoingEmail.objects.create(**_fields(message))
            transaction.on_commit(partial(queue_delivery, row.pk))
        return len(email_messages)


def _fields(message: EmailMessage) -> dict[str, Any]:
    if message.attachments:
        raise ValueError("the outbox carries no attachments")
    alternatives = message.alternatives if isinstance(message, EmailMultiAlternatives) else []
    html = [content for content, kind in alternatives if kind == "text/html"]
    return {
        "recipients": message.recipients(),
        "sender": message.from_email,
        "subject": " ".join(message.subject.split())[:255],
        "body_text": message.body,
        "body_html": html[0] if html else "",
        # The same on every attempt, so that a mail server can tell a repeated one.
        "message_id": make_msgid(domain=message.from_email.rpartition("@")[2].rstrip(">") or None),
    }
