"""``batchsora reconcile``: settle unconfirmed jobs; compare rows, generations and balance."""

import click

from batchsora.cli.common import Cli
from batchsora.cli.flags import options
from batchsora.cli.global_options import global_options
from batchsora.options import RunOptions


@click.command("reconcile", short_help="Settle unconfirmed jobs; compare rows with the account.")
@options(RunOptions, "reconcile")
@click.option("--no-wait", is_flag=True, help="Check once, without waiting.")
@click.option("--adopt", is_flag=True, help="Assign orphans to queued rows with the same prompt.")
@global_options
@click.pass_obj
def command(cli: Cli, /, options: RunOptions, *, no_wait: bool, adopt: bool) -> int:
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
