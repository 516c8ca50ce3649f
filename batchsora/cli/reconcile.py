"""``batchsora reconcile``: settle doubts now; rows against generations against balance."""

import click

from batchsora.cli.common import Cli
from batchsora.cli.flags import options
from batchsora.cli.global_options import global_options
from batchsora.options import RunOptions


@click.command("reconcile", short_help="Settle doubts now; compare rows with the account.")
@options(RunOptions, "reconcile")
@click.option("--no-wait", is_flag=True, help="Look once; leave what needs time for later.")
@click.option("--adopt", is_flag=True, help="Take orphans over for queued rows of the same prompt.")
@global_options
@click.pass_obj
def command(cli: Cli, /, options: RunOptions, *, no_wait: bool, adopt: bool) -> int:
    """Settle what is in doubt, and set our books beside the provider's.

    Nothing is bought. Orphans are generations of the account that belong to no row: made by
    somebody else, or by a run whose database was lost.

    \b
    Examples:
      batchsora reconcile
      batchsora reconcile --no-wait --json
    """
    from batchsora.composition.exit_codes import Exit
    from batchsora.usecases.reconcile import ReconcileRequest, reconcile

    grace = options.grace
    request = ReconcileRequest(
        grace=grace, poll_interval=min(5.0, grace), wait=not no_wait, adopt=adopt
    )
    left = reconcile(request, cli.settings(), cli.hooks, cli)
    return int(Exit.IN_DOUBT if left else Exit.DONE)
