"""Where signing up and signing in lead to."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from accounts.models import User
from onboarding.services import find_unfinished_realm, open_first_realm


class SignedInRequest(HttpRequest):
    """A request as allauth passes it once somebody has signed in."""

    user: User


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth is untyped
    """Gives new people a realm and leads them to its quick start; leads others to where they left off."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "incorrect_code": "This is not the code of the newest mail. After three wrong ones another is needed.",
    }

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:  # noqa: FBT001, FBT002  # allauth's signature
        """Store the new user, and a realm with them: it exists wherever they are led to next."""
        user = super().save_user(request, user, form, commit=commit)
        if commit:
            open_first_realm(user)
        return user

    def get_reset_password_from_key_url(self, key: str) -> str:
        """Return the link of the mail. It leads to the configured address, whatever host the request was for."""
        uidb36, _, secret = key.partition("-")
        path = reverse("account_reset_password_from_key", kwargs={"uidb36": uidb36, "key": secret})
        return f"{settings.PUBLIC_URL}{path}"

    def render_mail(self, template_prefix: str, email: str, context: dict[str, Any], headers: Any = None) -> Any:
        """Return the mail; its templates also know for how long a link and a code hold."""
        times = {
            "link_hours": max(1, settings.PASSWORD_RESET_TIMEOUT // 3600),
            "code_minutes": settings.ACCOUNT_LOGIN_BY_CODE_TIMEOUT // 60,
        }
        return super().render_mail(template_prefix, email, context | times, headers)

    def get_signup_redirect_url(self, request: SignedInRequest) -> str:
        """Return the address of the first realm's quick start."""
        return reverse("onboarding:quick_start", args=[open_first_realm(request.user).pk])

    def get_login_redirect_url(self, request: SignedInRequest) -> str:
        """Return the address of the quick start until something was received, then that of the realms."""
        realm = find_unfinished_realm(request.user)
        return reverse("onboarding:quick_start", args=[realm.pk]) if realm else reverse("realms:list")
