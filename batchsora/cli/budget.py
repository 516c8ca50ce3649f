"""The command that shows and changes budgets."""

from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING

import click

from batchsora.cli.common import Cli
from batchsora.cli.flags import NONE, UsdOrNone, global_options
from batchsora.cli.picking import batches, sandbox_option, yes_option

if TYPE_CHECKING:
    from jobs.ports.control import Terms


@click.command("budget", short_help="Show or change budgets, also while a run is active.")
@click.argument("batch", required=False, shell_complete=batches)
@click.argument("amount", required=False, type=UsdOrNone(), metavar="[USD|none]")
@click.option(
    "--cap",
    "campaigns",
    multiple=True,
    metavar="CAMPAIGN=USD",
    help="Budget of a campaign of BATCH, or CAMPAIGN=none; can be repeated.",
)
@click.option(
    "--day-budget", type=UsdOrNone(), metavar="USD", help="Daily budget of all batches, or none."
)
@sandbox_option
@yes_option
@global_options
def budget_command(
    cli: Cli,
    /,
    batch: str | None,
    amount: Decimal | str | None,
    campaigns: tuple[str, ...],
    day_budget: Decimal | str | None,
    *,
    yes: bool,
) -> int:
    """Show the budgets of all batches or of BATCH; with an amount, set the budget of BATCH.

    An active run follows a new budget at once: it buys more, or nothing more. A budget can be
    lower than what is already spent or reserved; then nothing more is bought. 'none' removes a
    budget, after asking.

    \b
    Examples:
      batchsora budget
      batchsora budget night 8.00
      batchsora budget night none
      batchsora budget night --cap winter=2.50
      batchsora budget --day-budget 20
    """
    from batchsora.usecases.budget import set_budgets, show_budgets
    from jobs.model.errors import NoSuchBatchError

    if batch is None and campaigns:
        raise click.UsageError("--cap needs the BATCH of the campaign")
    said = _terms(amount, campaigns, day_budget)
    now = cli.deps.clock.now()
    with cli.store() as store:
        if said is None:
            try:
                show_budgets(batch, store, cli, now)
            except NoSuchBatchError:
                if batch is None or not _is_amount(batch):
                    raise
                raise click.UsageError(
                    f"name the batch before its budget: 'batchsora budget BATCH {batch}'"
                ) from None
        else:
            set_budgets(batch, said, store, cli.settings(), cli, now, consent=yes)
    return 0


def _is_amount(text: str) -> bool:
    with suppress(click.BadParameter):
        return bool(UsdOrNone().convert(text, None, None))
    return False


def _terms(
    amount: Decimal | str | None, campaigns: Sequence[str], day: Decimal | str | None
) -> "Terms | None":
    """Return which budgets a command line changes; None: none."""
    from jobs.model.ledger import Scope
    from jobs.model.money import cap_micros
    from jobs.ports.control import Terms

    def cap(usd: Decimal | str | None) -> int | None:
        return cap_micros(usd) if isinstance(usd, Decimal) else None

    caps: dict[str, int | None] = {}
    for text in campaigns:
        name, _, usd = text.rpartition("=")
        if not name:
            raise click.BadParameter(f"{text!r}: write it like summer=2.50", param_hint="--cap")
        caps[name] = cap(UsdOrNone().convert(usd, None, None))
    if amount is None and day is None and not caps:
        return None
    lifted = [scope for scope, usd in ((Scope.BATCH, amount), (Scope.DAY, day)) if usd == NONE]
    return Terms(batch=cap(amount), campaigns=caps, checked=list(caps), day=cap(day), lifted=lifted)
