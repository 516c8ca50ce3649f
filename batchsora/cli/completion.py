"""``batchsora completion``: the shell completes commands, options, batches and jobs."""

import click
from click.shell_completion import get_completion_class

from batchsora.cli.common import Cli
from batchsora.cli.global_options import global_options
from batchsora.cli.text import Painted


@click.command("completion", short_help="Print the script for shell completion.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@global_options
@click.pass_obj
@click.pass_context
def command(context: click.Context, /, cli: Cli, shell: str) -> int:
    """Print the script that lets SHELL complete commands, options, batches and jobs.

    \b
    Examples:
      bash:  batchsora completion bash >> ~/.bashrc
      zsh:   batchsora completion zsh >> ~/.zshrc     (after compinit)
      fish:  batchsora completion fish > ~/.config/fish/completions/batchsora.fish

    It takes effect in new shells.
    """
    completing = get_completion_class(shell)
    if completing is None:
        raise click.UsageError(f"no completion for {shell}")
    script = completing(
        context.find_root().command, {}, "batchsora", "_BATCHSORA_COMPLETE"
    ).source()
    cli.result({"shell": shell, "script": script}, lambda: Painted(script))
    return 0
