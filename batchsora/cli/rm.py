"""``batchsora rm``: remove a batch from all lists."""

import click

from batchsora.cli.common import Cli
from batchsora.cli.completing import batches
from batchsora.cli.global_options import global_options
from batchsora.cli.picking import yes_option


@click.command("rm", short_help="Remove a finished batch from all lists.")
@click.argument("batch", shell_complete=batches)
@yes_option
@global_options
@click.pass_obj
def command(cli: Cli, /, batch: str, *, yes: bool) -> int:
    """Remove a finished BATCH from all lists; its name can be used again.

    Its files stay. Its payments stay on record: they count in the daily budget, and its generations
    still belong to this batch. Queued jobs are cancelled.

    \b
    Example:
      batchsora rm last-week
    """
    from batchsora.composition.databases import existing_store
    from batchsora.usecases.pause_resume_remove import remove

    with existing_store(cli.settings().database) as store:
        return int(remove(batch, store, cli.deps.clock, cli, consent=yes))
