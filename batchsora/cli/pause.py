"""``batchsora pause``: submit nothing more of a batch."""

import click

from batchsora.cli.common import Cli
from batchsora.cli.completing import batches
from batchsora.cli.global_options import global_options


@click.command("pause", short_help="Stop submitting jobs of a batch.")
@click.argument("batch", shell_complete=batches)
@global_options
@click.pass_obj
def command(cli: Cli, /, batch: str) -> int:
    """Stop submitting jobs of BATCH until it is resumed. Paid videos are still downloaded.

    \b
    Example:
      batchsora pause night
    """
    from batchsora.composition.databases import existing_store
    from batchsora.usecases.pause_resume_remove import pause

    with existing_store(cli.settings().database) as store:
        pause(batch, store, cli)
    return 0
