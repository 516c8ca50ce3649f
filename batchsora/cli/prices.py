"""``batchsora prices``: what each kind of video is known to cost."""

import click

from batchsora.cli.common import Cli
from batchsora.cli.global_options import global_options
from batchsora.cli.picking import yes_option


@click.command("prices", short_help="List the price of each kind of video; set or forget one.")
@click.argument("change", nargs=-1, metavar="[set KIND USD | forget KIND]")
@click.option("--dry-run", is_flag=True, help="Show what would change; change nothing.")
@yes_option
@global_options
@click.pass_obj
def command(cli: Cli, /, change: tuple[str, ...], *, dry_run: bool, yes: bool) -> int:
    """List the price of each kind of video (what a submission reserves) and its source.

    A price comes from the provider's answers (learned), its documentation (configured), or from
    you (set). A price 5 times higher or lower than the known one is charged and listed as odd; it
    becomes the known price when it is seen a second time.

    'set' holds until the provider's answers show another price. After 'forget' the next video of
    that kind is bought alone, to learn its price.

    \b
    Examples:
      batchsora prices
      batchsora prices set runblob/sora/15 0.18 --yes
      batchsora prices forget runblob/sora/10 --dry-run
    """
    from batchsora.composition.databases import existing_store
    from batchsora.usecases.prices import Change, forget_price, list_prices, set_price

    with existing_store(cli.settings().database) as store:
        terms = Change(store, cli.deps.clock, cli, dry=dry_run, consent=yes)
        match change:
            case ():
                list_prices(store, cli)
            case ("set", kind, usd):
                set_price(kind, usd, terms)
            case ("forget", kind):
                forget_price(kind, terms)
            case _:
                raise click.UsageError("type 'prices', 'prices set KIND USD' or 'forget KIND'")
    return 0
