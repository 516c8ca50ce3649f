"""``batchsora retry``: queue failed jobs for another attempt."""

import click

from batchsora.cli.common import Cli
from batchsora.cli.global_options import global_options
from batchsora.cli.picking import (
    batch_option,
    campaign_option,
    jobs_argument,
    kind_option,
    search_option,
    yes_option,
)


@click.command("retry", short_help="Queue failed jobs for another, paid attempt.")
@jobs_argument
@batch_option
@kind_option
@campaign_option
@search_option
@click.option("--prompt", metavar="TEXT", help="New prompt, for one JOB.")
@click.option(
    "--abandon",
    is_flag=True,
    help="Also give up attempts that don't finish; their cost stays spent.",
)
@click.option("--dry-run", is_flag=True, help="Show what it would cost; change nothing.")
@yes_option
@global_options
@click.pass_obj
def command(
    cli: Cli,
    /,
    job: tuple[str, ...],
    batch: str | None,
    kinds: tuple[str, ...],
    campaigns: tuple[str, ...],
    search: str,
    prompt: str | None,
    *,
    abandon: bool,
    dry_run: bool,
    yes: bool,
) -> int:
    """Queue failed jobs, or each failed or cancelled JOB, for another attempt within the budgets.

    Without JOB and --kind this takes only failures of the kinds system and timeout: the others
    would fail again. A run in another terminal buys these jobs, and nothing else of their
    batches. Naming a JOB that is held back buys it.

    A paid attempt that may still finish is not bought again, unless --abandon gives it up.

    \b
    Examples:
      batchsora retry --dry-run
      batchsora retry --kind content --campaign summer
      batchsora retry sunset-03 sunset-07 --yes
      batchsora retry sunset-03 --prompt "A sunset over calm water"
      batchsora retry sunset-03 --abandon --dry-run
    """
    from batchsora.composition.databases import existing_store
    from batchsora.usecases.retry_cancel_abandon import patience, retry
    from jobs.ports.selection import Wanted

    settings = cli.settings()
    if prompt is not None and len(job) != 1:
        raise click.UsageError("--prompt needs exactly one JOB")
    if abandon and not (job or kinds):
        raise click.UsageError("--abandon needs JOBs or a --kind")
    wanted = Wanted(batch, kinds=kinds, campaigns=campaigns, keys=job, search=search)
    with existing_store(settings.database) as store:
        return int(
            retry(
                wanted,
                settings,
                store,
                cli,
                prompt=prompt,
                dry=dry_run,
                consent=yes,
                clock=cli.deps.clock,
                give_up=patience(cli.deps.clock) if abandon else None,
            )
        )
