"""The project package as a Django app: its system checks, its management commands, its task queue."""

from django.apps import AppConfig
from django.core import checks

from fanoutcloud.checks import check_settings


class FanoutCloudConfig(AppConfig):
    """Registers the checks of settings that do not fit together."""

    name = "fanoutcloud"
    verbose_name = "Fanout Cloud"

    def ready(self) -> None:
        """Make this process know its checks and where its tasks go."""
        import fanoutcloud.celery  # noqa: F401  # becomes Celery's default app; needs the settings, so not earlier

        checks.register(check_settings)
