"""The commands that change what is bought: retry, cancel, pause, and settle by hand."""

from datetime import timedelta

import click

from batchsora.cli.common import Cli
from batchsora.cli.flags import Grouped, global_options, options
from batchsora.cli.picking import (
    batch_option,
    batches,
    campaign_option,
    jobs,
    jobs_argument,
    kind_option,
    model_option,
    sandbox_option,
    search_option,
    yes_option,
)
from batchsora.options import RunOptions


@click.command("retry", cls=Grouped, short_help="Queue failed jobs for another, paid attempt.")
@jobs_argument
@batch_option
@kind_option
@campaign_option
@model_option
@search_option
@click.option("--prompt", metavar="TEXT", help="New prompt, for one JOB.")
@click.option(
    "--abandon",
    is_flag=True,
    help="Also give up attempts that don't finish; their cost stays spent.",
)
@click.option("--dry-run", is_flag=True, help="Show what it would cost; change nothing.")
@yes_option
@sandbox_option
@global_options
def retry_command(
    cli: Cli,
    /,
    job: tuple[str, ...],
    batch: str | None,
    kinds: tuple[str, ...],
    campaigns: tuple[str, ...],
    made_by: tuple[str, ...],
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
    from batchsora.usecases.retry_cancel_abandon import patience, retry
    from jobs.ports.selection import Wanted

    settings = cli.settings()
    if prompt is not None and len(job) != 1:
        raise click.UsageError("--prompt needs exactly one JOB")
    if abandon and not (job or kinds):
        raise click.UsageError("--abandon needs JOBs or a --kind")
    wanted = Wanted(
        batch, kinds=kinds, campaigns=campaigns, keys=job, search=search, made_by=made_by
    )
    with cli.store() as store:
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


@click.command("abandon", short_help="Give up paid attempts that don't finish.")
@click.argument("job", nargs=-1, required=True, shell_complete=jobs)
@batch_option
@click.option("--dry-run", is_flag=True, help="Show what would be given up; change nothing.")
@yes_option
@sandbox_option
@global_options
def abandon_command(
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
    from batchsora.usecases.retry_cancel_abandon import abandon
    from jobs.ports.selection import Wanted

    wanted = Wanted(batch, keys=job)
    with cli.store() as store:
        return int(abandon(wanted, store, cli.deps.clock, cli, dry=dry_run, consent=yes))


@click.command("cancel", short_help="Cancel queued jobs; nothing was paid for them.")
@jobs_argument
@batch_option
@campaign_option
@model_option
@search_option
@click.option("--all", "everything", is_flag=True, help="Every queued job of every batch.")
@yes_option
@sandbox_option
@global_options
def cancel_command(
    cli: Cli,
    /,
    job: tuple[str, ...],
    batch: str | None,
    campaigns: tuple[str, ...],
    made_by: tuple[str, ...],
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
    if not (job or batch or campaigns or made_by or search.split() or everything):
        raise click.UsageError(
            "choose jobs by JOB, --batch, --campaign, --model, --search or --all"
        )
    from batchsora.usecases.retry_cancel_abandon import cancel
    from jobs.ports.selection import Wanted

    wanted = Wanted(batch, campaigns=campaigns, keys=job, search=search, made_by=made_by)
    with cli.store() as store:
        return int(cancel(wanted, store, cli.deps.clock, cli, consent=yes))


@click.command("pause", short_help="Stop submitting jobs of a batch.")
@click.argument("batch", shell_complete=batches)
@sandbox_option
@global_options
def pause_command(cli: Cli, /, batch: str) -> int:
    """Stop submitting jobs of BATCH until it is resumed. Paid videos are still downloaded.

    \b
    Example:
      batchsora pause night
    """
    from batchsora.usecases.pause_resume_remove import pause

    with cli.store() as store:
        pause(batch, store, cli)
    return 0


@click.command("resume", short_help="Resume a paused batch.")
@click.argument("batch", shell_complete=batches)
@sandbox_option
@global_options
def resume_command(cli: Cli, /, batch: str) -> int:
    """Resume a paused BATCH. A run in another terminal then buys its queued jobs.

    It shows how many videos these are and what they cost. Jobs that are held back stay so.

    \b
    Example:
      batchsora resume night
    """
    from batchsora.usecases.pause_resume_remove import resume

    with cli.store() as store:
        resume(batch, cli.settings(), store, cli, cli.deps.clock)
    return 0


@click.command("rm", short_help="Remove a finished batch from all lists.")
@click.argument("batch", shell_complete=batches)
@yes_option
@sandbox_option
@global_options
def rm_command(cli: Cli, /, batch: str, *, yes: bool) -> int:
    """Remove a finished BATCH from all lists; its name can be used again.

    Its files stay. Its payments stay on record: they count in the daily budget, and its generations
    still belong to this batch. Queued jobs are cancelled.

    \b
    Example:
      batchsora rm last-week
    """
    from batchsora.usecases.pause_resume_remove import remove

    with cli.store() as store:
        return int(remove(batch, store, cli.deps.clock, cli, consent=yes))


@click.command("resolve", short_help="Settle an unconfirmed job by hand.")
@click.argument("job", shell_complete=jobs)
@options(RunOptions, "resolve")
@click.option(
    "--generation", metavar="ID", help="The submission was accepted; this is its generation."
)
@click.option(
    "--never-made", is_flag=True, help="The submission was never accepted; queue the job again."
)
@click.option(
    "--force",
    is_flag=True,
    help="Even if the prompt differs, the grace period is not over, a known generation may be it, "
    "or the list proves nothing.",
)
@global_options
def resolve_command(
    cli: Cli,
    /,
    job: str,
    options: RunOptions,
    generation: str | None,
    *,
    never_made: bool,
    force: bool,
) -> int:
    """Settle a JOB whose submission is unconfirmed: the provider's answer was lost.

    Check the account's generations first: a generation that exists was paid for. --never-made reads
    the list too, and needs --force if a generation in it may be the job's, or if the list is not
    reliable.

    \b
    Examples:
      batchsora resolve sunset-03 --generation 0b6c1f0e-5d0f-4c56-9f6e-2f4f5b1f3a11
      batchsora resolve sunset-03 --never-made
    """
    from batchsora.usecases.reconcile import resolve

    if (generation is None) == (not never_made):
        raise click.UsageError("use either --generation ID or --never-made")
    with cli.store() as store:
        found = store.queries.job(job, options.batch)
        said = resolve(
            store,
            cli.settings(),
            cli.deps.clock,
            found,
            generation,
            grace=timedelta(seconds=options.grace),
            force=force,
        )
    cli.result({"job": found.key, "batch": found.batch, "generation_id": generation}, lambda: said)
    return 0


@click.command("reconcile", short_help="Settle unconfirmed jobs; compare rows with the account.")
@options(RunOptions, "reconcile")
@click.option("--no-wait", is_flag=True, help="Check once, without waiting.")
@click.option("--adopt", is_flag=True, help="Assign orphans to queued rows with the same prompt.")
@global_options
def reconcile_command(cli: Cli, /, options: RunOptions, *, no_wait: bool, adopt: bool) -> int:
    """Settle unconfirmed jobs, and compare this database with the account.

    Nothing is bought. Orphans are generations of the account that belong to no row: bought by
    somebody else, or by a run whose database was lost.

    \b
    Examples:
      batchsora reconcile
      batchsora reconcile --no-wait --json
    """
    from batchsora.composition.exit_codes import Exit
    from batchsora.usecases.reconcile import reconcile
    from batchsora.usecases.user_interface import Context

    context = Context(cli.settings(), cli.deps, cli)
    left = reconcile(context, grace=options.grace, wait=not no_wait, adopt=adopt)
    return int(Exit.IN_DOUBT if left else Exit.DONE)


@click.command("prices", short_help="List the price of each kind of video; set or forget one.")
@click.argument("change", nargs=-1, metavar="[set KIND USD | forget KIND]")
@click.option("--dry-run", is_flag=True, help="Show what would change; change nothing.")
@yes_option
@sandbox_option
@global_options
def prices_command(cli: Cli, /, change: tuple[str, ...], *, dry_run: bool, yes: bool) -> int:
    """List the price of each kind of video (what a submission reserves) and its source.

    A price comes from the provider's answers (learned), its documentation (configured), or from
    you (set). A price 5 times higher or lower than the known one is charged and listed as odd; it
    becomes the known price when it is seen a second time.

    'set' holds until the provider's answers show another price. After 'forget' the next video of
    that kind is bought alone, to learn its price.

    \b
    Examples:
      batchsora prices
      batchsora prices set runblob/sora/15 0.18 --yes
      batchsora prices forget runblob/sora/10 --dry-run
    """
    from batchsora.usecases.prices import Change, forget_price, list_prices, set_price

    with cli.store() as store:
        terms = Change(store, cli.deps.clock, cli, dry=dry_run, consent=yes)
        match change:
            case ():
                list_prices(store, cli)
            case ("set", kind, usd):
                set_price(kind, usd, terms)
            case ("forget", kind):
                forget_price(kind, terms)
            case _:
                raise click.UsageError("type 'prices', 'prices set KIND USD' or 'forget KIND'")
    return 0
