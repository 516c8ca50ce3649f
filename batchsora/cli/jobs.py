"""``batchsora jobs``: the jobs of a batch."""

import shutil
import sys

import click

from batchsora.cli.colours import IN_JOBS
from batchsora.cli.common import Cli
from batchsora.cli.global_options import global_options
from batchsora.cli.picking import STATES, batch_option, campaign_option, kind_option, search_option

SORTS = ("row", "state", "price", "submitted", "completed", "attempts")


@click.command("jobs", short_help="List jobs with price, state and errors.")
@batch_option
@click.option(
    "--status", "states", multiple=True, type=click.Choice(STATES), help="Only these; repeatable."
)
@kind_option
@campaign_option
@search_option
@click.option(
    "--sort", type=click.Choice(SORTS), default="row", show_default=True, help="Sort order."
)
@click.option("--group-by", type=click.Choice(["error"]), help="Group failures by their message.")
@global_options
@click.pass_obj
def command(
    cli: Cli,
    /,
    batch: str | None,
    states: tuple[str, ...],
    kinds: tuple[str, ...],
    campaigns: tuple[str, ...],
    search: str,
    sort: str,
    group_by: str | None,
) -> int:
    """List jobs in the order of their manifest, with state, price and error.

    \b
    Examples:
      batchsora jobs --status failed
      batchsora jobs --group-by error
      batchsora jobs --batch summer --search "red kite" --json
    """
    from batchsora.presentation.json_shapes import failure_json, failures_text, job_json, job_line
    from jobs.ports.selection import Wanted
    from jobs.queries.lists import existing_lists

    wanted = Wanted(batch, states, kinds, campaigns, search=search)
    with existing_lists(cli.settings().database) as lists:
        if group_by:
            failures = lists.failures(wanted)
            cli.result([failure_json(one) for one in failures], lambda: failures_text(failures))
            return 0
        found = lists.jobs(wanted, sort)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    cli.result(
        [job_json(job) for job in found],
        lambda: "\n".join(job_line(job, width) for job in found) or "no matching jobs",
        IN_JOBS,
    )
    return 0
