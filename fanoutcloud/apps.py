"""The project package as a Django app: its system checks and its management commands."""

from django.apps import AppConfig
from django.core import checks


class FanoutCloudConfig(AppConfig):
    """Registers the checks of settings that do not fit together."""

    name = "fanoutcloud"
    verbose_name = "Fanout Cloud"

    def ready(self) -> None:
        from fanoutcloud.checks import check_settings

        checks.register(check_settings)
