"""``batchsora status``: where things stand."""

import click

from batchsora.cli.colours import IN_STATUS
from batchsora.cli.common import Cli, global_options
from batchsora.cli.completing import batches


@click.command("status", short_help="Where batches stand, and what they wait for.")
@click.option("--batch", shell_complete=batches, help="Only this batch.")
@global_options
@click.pass_obj
def command(cli: Cli, /, batch: str | None) -> int:
    """Show where batches stand: jobs by state, money against caps, what is waited for.

    \b
    Examples:
      batchsora status
      batchsora status --batch summer --json
    """
    from batchsora.app.databases import existing_store
    from batchsora.app.views import status_json, status_text
    from jobs.lock import current_runner
    from jobs.store import accounts, views

    settings = cli.settings()
    with existing_store(settings.database) as store:
        found, account = store.read(
            lambda c: (
                [views.batch_status(c, row) for row in views.find_batches(c, batch)],
                accounts.read_account(c),
            )
        )
    runner = current_runner(settings.database)
    cli.result(
        status_json(found, account.balance_micros, runner),
        lambda: status_text(found, account.balance_micros, runner),
        IN_STATUS,
    )
    return 0
