"""The accounts app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """People, how they sign in, and the mail that goes to them."""

    name = "accounts"
