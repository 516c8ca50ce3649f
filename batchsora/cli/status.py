"""``batchsora status``: where things stand."""

import click

from batchsora.cli.colours import IN_STATUS
from batchsora.cli.common import Cli
from batchsora.cli.completing import batches
from batchsora.cli.global_options import global_options


@click.command("status", short_help="Show the progress of batches.")
@click.option("--batch", shell_complete=batches, help="Only this batch.")
@global_options
@click.pass_obj
def command(cli: Cli, /, batch: str | None) -> int:
    """Show the progress of batches: jobs by state, money, budgets, and what they wait for.

    \b
    Examples:
      batchsora status
      batchsora status --batch summer --json
    """
    from batchsora.presentation.json_shapes import status_json, status_text
    from jobs.database.lock import current_runner
    from jobs.queries.lists import existing_lists

    settings = cli.settings()
    with existing_lists(settings.database) as lists, lists.snapshot() as seen:
        found = [seen.status(row) for row in seen.batches(batch)]
        account = seen.account()
    runner = current_runner(settings.database)
    cli.result(
        status_json(found, account.balance_micros, runner),
        lambda: status_text(found, account.balance_micros, runner),
        IN_STATUS,
    )
    return 0
