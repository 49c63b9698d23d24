"""`manage.py create_realm`: a realm for scripts, with the addresses and the key to use it."""

import json
import shlex
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email
from django.db import transaction

from accounts.models import User
from fanoutcloud.core.errors import FanoutError
from realms.selectors import site_urls
from realms.services import CreatedRealm, create_realm


class Command(BaseCommand):
    """Creates a realm, and its owner if nobody has that address yet."""

    help = "Create a realm and print its id, key and addresses. A running server knows it at once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--owner", required=True, metavar="EMAIL", help="whose it is; created if missing")
        parser.add_argument("--label", default="", help="a name for people, at most 80 characters")
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
        form.add_argument("--env", action="store_true", help="print what a shell evaluates: the variables of `fanout`")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            validate_email(options["owner"])
        except ValidationError:
            raise CommandError(f"--owner is {options['owner']!r}; expected an e-mail address") from None
        try:
            created = _create(options["owner"], options["label"])
        except FanoutError as error:
            raise CommandError(error.line) from error
        described = _describe(created)
        if options["json"]:
            self.stdout.write(json.dumps(described))
        elif options["env"]:
            self.stdout.write("\n".join(_variables(described)))
        else:
            self.stdout.write("\n".join(f"{name:9}{value}" for name, value in described.items()))


@transaction.atomic
def _create(email: str, label: str) -> CreatedRealm:
    owner = User.objects.filter(email__iexact=email).first() or User.objects.create_user(email)
    return create_realm(owner=owner, label=label)


def _describe(created: CreatedRealm) -> dict[str, str]:
    urls = site_urls(created.realm)
    return {
        "realm": created.realm.pk,
        "key": created.secret,
        "api": urls.api,
        "site": urls.path_form,
        "grip_url": urls.grip_url(created.secret),
    }


def _variables(described: dict[str, str]) -> list[str]:
    values = {
        "FANOUT_URL": described["api"].removesuffix(f"/realm/{described['realm']}"),
        "FANOUT_REALM": described["realm"],
        "FANOUT_KEY": described["key"],
        "FANOUT_SITE": described["site"],
    }
    return [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
