"""``batchsora abandon``: give up attempts that will not end."""

import click

from batchsora.cli.common import Cli
from batchsora.cli.completing import jobs
from batchsora.cli.global_options import global_options
from batchsora.cli.picking import batch_option, yes_option


@click.command("abandon", short_help="Give up paid attempts that don't finish.")
@click.argument("job", nargs=-1, required=True, shell_complete=jobs)
@batch_option
@click.option("--dry-run", is_flag=True, help="Show what would be given up; change nothing.")
@yes_option
@global_options
@click.pass_obj
def command(
    cli: Cli, /, job: tuple[str, ...], batch: str | None, *, dry_run: bool, yes: bool
) -> int:
    """Give up the attempt of each JOB that is paid for and does not finish.

    What it cost stays spent. Runs keep checking it, and take its video if it finishes before the
    job is bought again. 'batchsora retry JOB' buys it again; 'retry --abandon' does both.

    This takes attempts that a run has stopped waiting for, or that are older than 30 minutes. For
    an unconfirmed submission use 'batchsora resolve'.

    \b
    Examples:
      batchsora abandon sunset-03 --dry-run
      batchsora abandon sunset-03 sunset-07 --yes
    """
    from batchsora.composition.databases import existing_store
    from batchsora.usecases.retry_cancel_abandon import abandon
    from jobs.ports.selection import Wanted

    wanted = Wanted(batch, keys=job)
    with existing_store(cli.settings().database) as store:
        return int(abandon(wanted, store, cli.deps.clock, cli, dry=dry_run, consent=yes))
