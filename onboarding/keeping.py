"""Keeping a sandbox: one e-mail address, one link, and it is a realm of an account.

The link carries all there is to know, signed: no row waits for people who never come. It holds for as long as the
sandbox does, and works once, because afterwards there is no sandbox.
"""

from dataclasses import dataclass

from django.conf import settings
from django.core import signing
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse

from accounts.models import User
from realms.models import Realm, Sandbox
from realms.sandbox_errors import SandboxNotFound
from realms.selectors import find_sandbox
from realms.services import keep_sandbox
from realms.services.sandboxes import LIFE, LIFE_AFTER_MAIL, count_mail

_SALT = "onboarding.keeping"
_MAX_AGE_S = int((LIFE + LIFE_AFTER_MAIL).total_seconds())


@dataclass(frozen=True, slots=True)
class KeepRequest:
    """What a link says: keep this sandbox for this address."""

    sandbox: Sandbox
    email: str


@transaction.atomic
def mail_link(*, sandbox: Sandbox, email: str) -> None:
    """Mail the link by which its reader keeps the sandbox.

    Raises:
        SandboxNotFound: it is over, or has an owner.
        TooManyMails: enough links were sent for it.
    """
    count_mail(realm_id=sandbox.realm_id)
    token = signing.dumps([sandbox.realm_id, email], salt=_SALT, compress=True)
    link = f"{settings.PUBLIC_URL}{reverse('onboarding:keep_confirm', args=[token])}"
    context = {"realm": sandbox.realm_id, "link": link, "address": sandbox.address, "opened_at": sandbox.opened_at}
    mail = EmailMultiAlternatives(
        subject=render_to_string("emails/keep/subject.txt", context).strip(),
        body=render_to_string("emails/keep/body.txt", context),
        to=[email],
    )
    mail.attach_alternative(render_to_string("emails/keep/body.html", context), "text/html")
    mail.send()


def read_link(token: str) -> KeepRequest:
    """Return what the link says.

    Raises:
        SandboxNotFound: it is none of ours, too old, or its sandbox is over or kept.
    """
    try:
        realm_id, email = signing.loads(token, salt=_SALT, max_age=_MAX_AGE_S)
    except (signing.BadSignature, ValueError):
        raise SandboxNotFound from None
    sandbox = find_sandbox(realm_id)
    if sandbox is None:
        raise SandboxNotFound
    return KeepRequest(sandbox, email)


@transaction.atomic
def keep(request: KeepRequest) -> tuple[User, Realm]:
    """Make the sandbox a realm of whoever has the address; they get an account without a password if they have none.

    Raises:
        SandboxNotFound: it is over, or somebody was faster.
        RealmLimitReached: they own as many realms as one may.
    """
    user = User.objects.filter(email__iexact=request.email).first() or User.objects.create_user(request.email)
    return user, keep_sandbox(realm_id=request.sandbox.realm_id, owner=user)
