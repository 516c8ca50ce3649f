"""``batchsora plan``: what would run."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from batchsora.cli.common import Cli, global_options

if TYPE_CHECKING:
    from batchsora.app.plan import Plan
    from batchsora.settings import Settings


@click.command("plan", short_help="What a manifest would buy, and what it costs.")
@click.argument("manifest", type=click.Path(path_type=Path))
@click.option("--name", help="Of the batch (default: the manifest's own, or its file's).")
@click.option("--max-in-flight", type=click.IntRange(1, 100_000), default=16, show_default=True)
@click.option("--rate", type=click.FloatRange(min=0), default=5.0, show_default=True)
@click.option("--allow-outside", is_flag=True, help="Accept images outside the manifest's folder.")
@click.option("--sandbox", is_flag=True, help="As a rehearsal sees it.")
@global_options
@click.pass_obj
def command(
    cli: Cli,
    /,
    manifest: Path,
    name: str | None,
    max_in_flight: int,
    rate: float,
    *,
    allow_outside: bool,
    sandbox: bool,
) -> int:
    """Show what MANIFEST would buy: rows, errors, cost, time, balance. Nothing is written or paid.

    Works without token, network and database. Ends with 2 when a row is invalid.

    \b
    Examples:
      batchsora plan prompts.csv
      batchsora plan prompts.csv --json
    """
    from batchsora.app.databases import existing_store
    from batchsora.app.plan import Pace, make_plan, plan_json, plan_text
    from batchsora.manifest.read import open_manifest
    from jobs.schema import version

    settings = cli.settings(sandbox=sandbox)
    opened = open_manifest(manifest, allow_outside=allow_outside)
    pace = Pace(max_in_flight, rate)
    if version(settings.database) is None:
        plan = make_plan(opened, name, None, pace)
    else:
        with existing_store(settings.database) as store:
            plan = make_plan(opened, name, store, pace)
    if not sandbox:
        _ask_balance(plan, settings)
    for problem in plan.problems[:50]:
        cli.say(str(problem))
    for warning in plan.warnings:
        cli.say(f"warning: {warning}")
    cli.result(plan_json(plan), lambda: plan_text(plan))
    return 2 if plan.problems else 0


def _ask_balance(plan: "Plan", settings: "Settings") -> None:
    """Add the balance, or a warning why it is not there."""
    from batchsora.app.ask import read_balance
    from batchsora.app.session import endpoint
    from batchsora.settings import SettingsError
    from jobs.provider import ProviderError

    try:
        with endpoint(settings) as place:
            plan.balance = read_balance(place, timeout=10.0)
    except (ProviderError, SettingsError) as error:
        plan.warnings.append(f"the balance is not known: {error}")
        return
    cost = plan.cost(plan.open_kinds)
    if cost is not None and cost > plan.balance:
        plan.warnings.append("the balance does not cover the cost")
