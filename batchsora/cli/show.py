"""``batchsora show``: a job's history."""

import click

from batchsora.cli.colours import IN_STORY
from batchsora.cli.common import Cli
from batchsora.cli.completing import jobs
from batchsora.cli.global_options import global_options
from batchsora.cli.picking import batch_option


@click.command("show", short_help="Show a job's history: attempts, times, money, errors.")
@click.argument("job", shell_complete=jobs)
@batch_option
@global_options
@click.pass_obj
def command(cli: Cli, /, job: str, batch: str | None) -> int:
    """Show the history of JOB: its attempts, times, money and errors, and what to do next.

    \b
    Examples:
      batchsora show sunset-03
      batchsora show sunset-03 --json
    """
    from batchsora.presentation.job_history import story_json, story_text
    from jobs.queries.lists import existing_lists

    with existing_lists(cli.settings().database) as lists, lists.snapshot() as seen:
        found = seen.job(job, batch)
        attempts = seen.attempts_of(found.id)
    named = batch is not None  # the next command may need it as well
    document = story_json(found, attempts, batch=named)
    cli.result(document, lambda: story_text(found, attempts, batch=named), IN_STORY)
    return 0
