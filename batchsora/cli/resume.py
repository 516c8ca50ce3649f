"""``batchsora resume``: let a paused batch go on."""

import click

from batchsora.cli.common import Cli
from batchsora.cli.completing import batches
from batchsora.cli.global_options import global_options


@click.command("resume", short_help="Resume a paused batch.")
@click.argument("batch", shell_complete=batches)
@global_options
@click.pass_obj
def command(cli: Cli, /, batch: str) -> int:
    """Resume a paused BATCH. A run in another terminal then buys its queued jobs.

    It shows how many videos these are and what they cost. Jobs that are held back stay so.

    \b
    Example:
      batchsora resume night
    """
    from batchsora.composition.databases import existing_store
    from batchsora.usecases.pause_resume_remove import resume

    settings = cli.settings()
    with existing_store(settings.database) as store:
        resume(batch, settings, store, cli, cli.deps.clock)
    return 0
