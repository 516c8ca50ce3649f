"""``batchsora cancel``: cancel queued jobs."""

import click

from batchsora.cli.common import Cli
from batchsora.cli.global_options import global_options
from batchsora.cli.picking import (
    batch_option,
    campaign_option,
    jobs_argument,
    search_option,
    yes_option,
)


@click.command("cancel", short_help="Cancel queued jobs; nothing was paid for them.")
@jobs_argument
@batch_option
@campaign_option
@search_option
@click.option("--all", "everything", is_flag=True, help="Every queued job of every batch.")
@yes_option
@global_options
@click.pass_obj
def command(
    cli: Cli,
    /,
    job: tuple[str, ...],
    batch: str | None,
    campaigns: tuple[str, ...],
    search: str,
    *,
    everything: bool,
    yes: bool,
) -> int:
    """Cancel queued jobs. A job that was submitted is paid for, and can't be cancelled.

    'batchsora retry JOB' queues a cancelled job again.

    \b
    Examples:
      batchsora cancel sunset-03
      batchsora cancel --batch night --campaign winter --yes
    """
    if not (job or batch or campaigns or search.split() or everything):
        raise click.UsageError("choose jobs by JOB, --batch, --campaign, --search or --all")
    from batchsora.composition.databases import existing_store
    from batchsora.usecases.retry_cancel_abandon import cancel
    from jobs.ports.selection import Wanted

    wanted = Wanted(batch, campaigns=campaigns, keys=job, search=search)
    with existing_store(cli.settings().database) as store:
        return int(cancel(wanted, store, cli.deps.clock, cli, consent=yes))
