"""``batchsora jobs``: the jobs of a batch."""

import shutil

import click

from batchsora.cli.common import Cli, global_options

STATES = (
    "queued",
    "submitting",
    "in_doubt",
    "pending",
    "processing",
    "completed",
    "failed",
    "cancelled",
)


@click.command("jobs", short_help="List jobs with price, state and errors.")
@click.option("--batch", help="Only this batch.")
@click.option(
    "--status", "states", multiple=True, type=click.Choice(STATES), help="Only these; repeatable."
)
@global_options
@click.pass_obj
def command(cli: Cli, /, batch: str | None, states: tuple[str, ...]) -> int:
    """List jobs in the order of their manifest, with price and what is to be known of each.

    \b
    Examples:
      batchsora jobs --status failed
      batchsora jobs --batch summer --json
    """
    from batchsora.app.databases import existing_store
    from batchsora.app.views import job_json, job_line
    from jobs.store import views

    with existing_store(cli.settings().database) as store:
        found = store.read(
            lambda c: [
                job for row in views.find_batches(c, batch) for job in views.jobs(c, row.id, states)
            ]
        )
    width = shutil.get_terminal_size().columns
    cli.result(
        [job_json(job) for job in found],
        lambda: "\n".join(job_line(job, width) for job in found) or "no such job",
    )
    return 0
