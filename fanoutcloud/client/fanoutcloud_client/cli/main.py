"""The program: its commands, put together."""

import sys

import click

from fanoutcloud_client.cli.bench import add_bench
from fanoutcloud_client.cli.completing import add_completion
from fanoutcloud_client.cli.doctor import add_doctor
from fanoutcloud_client.cli.listen import add_listen
from fanoutcloud_client.cli.login import add_login
from fanoutcloud_client.cli.output import EXIT_INTERRUPTED
from fanoutcloud_client.cli.publish import add_publish
from fanoutcloud_client.cli.read import add_reading
from fanoutcloud_client.cli.subscribe import add_subscribe
from fanoutcloud_client.cli.tail import add_tail
from fanoutcloud_client.cli.token import add_token
from fanoutcloud_client.cli.why import add_why
from fanoutcloud_client.version import VERSION


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, prog_name="fanout")
def cli() -> None:
    """Publish to Fanout Cloud, subscribe, and look after realms.

    Settings come from options, then from the environment (FANOUT_URL, FANOUT_REALM, FANOUT_KEY, FANOUT_API_TOKEN,
    FANOUT_TOKEN), then from the file that `fanout login` writes.
    """


add_login(cli)
add_publish(cli)
add_subscribe(cli)
add_reading(cli)
add_token(cli)
add_tail(cli)
add_listen(cli)
add_doctor(cli)
add_why(cli)
add_bench(cli)
add_completion(cli)


def main() -> None:
    """Run the command line; the exit codes are those of docs/howto/command-line.md."""
    try:
        status = cli(prog_name="fanout", standalone_mode=False)  # what `--help` exits with, too
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(wrong.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(EXIT_INTERRUPTED)
    sys.exit(status if isinstance(status, int) else 0)
