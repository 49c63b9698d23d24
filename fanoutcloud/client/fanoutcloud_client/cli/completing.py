"""`fanout completion`."""

import click
from click.shell_completion import get_completion_class

_HOW = {
    "bash": 'eval "$(fanout completion bash)"        # in ~/.bashrc',
    "zsh": 'eval "$(fanout completion zsh)"         # in ~/.zshrc',
    "fish": "fanout completion fish | source        # in ~/.config/fish/config.fish",
}


def add_completion(group: click.Group) -> None:
    """Add the command."""

    @group.command("completion", epilog="\b\n" + "\n".join(_HOW.values()))
    @click.argument("shell", type=click.Choice(list(_HOW)))
    def completion(shell: str) -> None:
        """Print what makes a shell complete commands and options of `fanout`."""
        kind = get_completion_class(shell)
        if kind is None:
            raise click.UsageError(f"{shell} is not offered by this version of click")
        click.echo(kind(group, {}, "fanout", "_FANOUT_COMPLETE").source())
