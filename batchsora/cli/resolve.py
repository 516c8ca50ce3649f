"""``batchsora resolve``: settle an attempt in doubt by a person's word."""

from datetime import timedelta

import click

from batchsora.cli.common import Cli
from batchsora.cli.completing import jobs
from batchsora.cli.flags import options
from batchsora.cli.global_options import global_options
from batchsora.options import RunOptions


@click.command("resolve", short_help="Settle a job whose submission is in doubt.")
@click.argument("job", shell_complete=jobs)
@options(RunOptions, "resolve")
@click.option("--generation", metavar="ID", help="It was made: this generation is the job's.")
@click.option("--never-made", is_flag=True, help="It was not made: queue the job again.")
@click.option(
    "--force",
    is_flag=True,
    help="Although the prompt differs, the grace is not over, it could be a known generation, or "
    "the list proves nothing.",
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
    """Settle a JOB whose submission nobody knows the outcome of.

    Look at the account's generations first: what was made was paid for. --never-made looks at the
    list too, and asks for --force where there are generations that it could be, or where the list
    does not show what it must.

    \b
    Examples:
      batchsora resolve sunset-03 --generation 0b6c1f0e-5d0f-4c56-9f6e-2f4f5b1f3a11
      batchsora resolve sunset-03 --never-made
    """
    from batchsora.composition.databases import existing_store
    from batchsora.usecases.resolve import resolve

    if (generation is None) == (not never_made):
        raise click.UsageError("say either --generation ID or --never-made")
    settings = cli.settings()
    with existing_store(settings.database) as store:
        found = store.queries.job(job, options.batch)
        said = resolve(
            store,
            settings,
            cli.hooks.clock,
            found,
            generation,
            grace=timedelta(seconds=options.grace),
            force=force,
        )
    cli.result({"job": found.key, "batch": found.batch, "generation_id": generation}, lambda: said)
    return 0
