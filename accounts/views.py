"""Signing up; the other pages are allauth's own views under our addresses."""

from typing import Any

from allauth.account.views import ConfirmLoginCodeView as AllauthConfirmLoginCodeView
from allauth.account.views import SignupView as AllauthSignupView
from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpResponse

from accounts.selectors import is_registered


class SignupView(AllauthSignupView):  # type: ignore[misc]  # allauth is untyped
    """One short screen: e-mail address and password. All that signing up stores is stored, or nothing."""

    def form_valid(self, form: Any) -> HttpResponse:
        """Store the user and go on; the second of two sign-ups at once with one address sees a form error."""
        try:
            with transaction.atomic():
                response: HttpResponse = super().form_valid(form)
        except IntegrityError:
            if not is_registered(form.cleaned_data["email"]):
                raise
            form.add_error("email", "A user is already registered with this email address.")
            response = self.form_invalid(form)
        return response


class ConfirmLoginCodeView(AllauthConfirmLoginCodeView):  # type: ignore[misc]  # allauth is untyped
    """Enter the code that was mailed. The page looks the same whether the address has an account or not."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Return allauth's context, and for how many minutes the code holds."""
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"code_minutes": settings.ACCOUNT_LOGIN_BY_CODE_TIMEOUT // 60}
