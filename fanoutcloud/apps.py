"""The project package as a Django app: its system checks, its management commands, its task queue."""

import sys

from django.apps import AppConfig
from django.core import checks

from fanoutcloud.checks import CHECK_TAG, check_settings


class FanoutCloudConfig(AppConfig):
    """Registers the checks of settings that do not fit together."""

    name = "fanoutcloud"
    verbose_name = "Fanout Cloud"

    def ready(self) -> None:
        """Make this process know its checks and where its tasks go."""
        _load_rest_framework()
        import fanoutcloud.celery  # noqa: F401  # becomes Celery's default app; needs the settings, so not earlier

        checks.register(check_settings, CHECK_TAG)


def _load_rest_framework() -> None:
    """Load what Django REST framework looks for optional packages with, and let it find none that nothing here needs.

    It would load PostgreSQL's driver on SQLite, too, and an HTTP client for tests: a tenth of every process's start.
    """
    unneeded = [name for name in ("django.contrib.postgres.fields", "requests") if name not in sys.modules]
    sys.modules.update(dict.fromkeys(unneeded))  # type: ignore[arg-type]  # None: importing it is an ImportError
    try:
        import rest_framework.compat  # noqa: F401  # needs the settings, so not earlier
    finally:
        for name in unneeded:
            del sys.modules[name]
