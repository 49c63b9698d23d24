"""The onboarding app."""

from django.apps import AppConfig


class OnboardingConfig(AppConfig):
    """From signing up to the first item received."""

    name = "onboarding"
