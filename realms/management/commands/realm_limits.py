"""`manage.py realm_limits REALM [NAME=NUMBER …]`: what one realm may use in place of the installation's limits."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from fanoutcloud.core.errors import FanoutError
from realms.models import Realm
from realms.services import set_limits


class Command(BaseCommand):
    """Shows or changes the limits that a realm has of its own."""

    help = "Show the limits that a realm has of its own, or change them; NAME= takes one away, 0 is no limit."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("realm", metavar="REALM")
        parser.add_argument("changes", nargs="*", metavar="NAME=NUMBER")

    def handle(self, *, realm: str, changes: list[str], **options: Any) -> None:
        found = Realm.objects.filter(pk=realm).first()
        if found is None:
            raise CommandError(f"there is no realm {realm}")
        document = dict(found.limits)
        for change in changes:
            name, equals, number = change.partition("=")
            if not equals or not ((number.isascii() and number.isdigit()) or not number):
                raise CommandError(f"{change!r} is no change; expected NAME=NUMBER, as in connections=1000")
            document[name] = int(number) if number else None
        if changes:
            try:
                set_limits(realm=found, document={name: value for name, value in document.items() if value is not None})
            except FanoutError as error:
                raise CommandError(error.line) from error
        self.stdout.write(json.dumps(found.limits))
