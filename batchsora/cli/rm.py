"""``batchsora rm``: take a batch out of every list."""

import click

from batchsora.cli.common import Cli
from batchsora.cli.completing import batches
from batchsora.cli.global_options import global_options
from batchsora.cli.picking import yes_option


@click.command("rm", short_help="Take a finished batch out of every list.")
@click.argument("batch", shell_complete=batches)
@yes_option
@global_options
@click.pass_obj
def command(cli: Cli, /, batch: str, *, yes: bool) -> int:
    """Take a finished BATCH out of every list; its name is free again.

    Its files stay where they are, and its payments stay known: they count in the day's cap, and are
    never taken for somebody else's. Queued jobs are cancelled.

    \b
    Example:
      batchsora rm last-week
    """
    from batchsora.composition.databases import existing_store
    from batchsora.usecases.retry_cancel_remove import remove

    with existing_store(cli.settings().database) as store:
        return int(remove(batch, store, cli.hooks.clock, cli, consent=yes))
