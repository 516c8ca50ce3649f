"""``batchsora resolve``: settle an unconfirmed attempt by hand."""

from datetime import timedelta

import click

from batchsora.cli.common import Cli
from batchsora.cli.completing import jobs
from batchsora.cli.flags import options
from batchsora.cli.global_options import global_options
from batchsora.options import RunOptions


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
@click.pass_obj
def command(
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
    from batchsora.composition.databases import existing_store
    from batchsora.usecases.reconcile import resolve

    if (generation is None) == (not never_made):
        raise click.UsageError("use either --generation ID or --never-made")
    settings = cli.settings()
    with existing_store(settings.database) as store:
        found = store.queries.job(job, options.batch)
        said = resolve(
            store,
            settings,
            cli.deps.clock,
            found,
            generation,
            grace=timedelta(seconds=options.grace),
            force=force,
        )
    cli.result({"job": found.key, "batch": found.batch, "generation_id": generation}, lambda: said)
    return 0
