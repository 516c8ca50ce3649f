"""``batchsora balance``: the account's money."""

import click

from batchsora.cli.common import Cli
from batchsora.cli.global_options import global_options


@click.command("balance", short_help="Show the account's balance.")
@global_options
@click.pass_obj
def command(cli: Cli, /) -> int:
    """Show the balance of the account.

    \b
    Example:
      batchsora balance --json
    """
    from batchsora.composition.session import endpoint, read_balance
    from jobs.model.money import usd_text

    with endpoint(cli.settings()) as place:
        balance = usd_text(read_balance(place))
    cli.result({"balance": balance}, lambda: f"${balance}")
    return 0
