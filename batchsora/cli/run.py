"""``batchsora run``: load if given, then go on until nothing is left."""

from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from batchsora.cli.common import Cli, global_options
from batchsora.cli.completing import batches
from batchsora.cli.picking import pick_of, pick_options
from batchsora.cli.rates import rate_option
from batchsora.cli.reading import reading_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchsora.app.loading import Caps, LoadOptions
    from batchsora.app.manifests import Source
    from batchsora.app.run import RunTerms


class Usd(click.ParamType[Decimal]):
    """An amount in US dollars, kept as a decimal."""

    name = "usd"

    def convert(self, value: Any, param: Any, ctx: Any) -> Decimal:
        """Read an amount; a leading dollar sign is fine."""
        if isinstance(value, Decimal):
            return value
        try:
            amount = Decimal(str(value).strip().removeprefix("$"))
        except InvalidOperation:
            self.fail(f"{value!r} is no amount in USD; write it like 6.00", param, ctx)
        if not amount.is_finite() or not 0 <= amount < 10**9:
            self.fail(f"{value!r} is no amount in USD; write it like 6.00", param, ctx)
        return amount


USD = Usd()


def _campaign_caps(_: Any, __: Any, values: tuple[str, ...]) -> dict[str, Decimal]:
    caps: dict[str, Decimal] = {}
    for value in values:
        name, sign, amount = value.rpartition("=")
        if not sign or not name:
            raise click.BadParameter(f"{value!r}: write it like summer=2.50")
        caps[name] = USD.convert(amount, None, None)
    return caps


def _zone(_: Any, __: Any, value: str | None) -> str | None:
    if value is None:
        return None
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise click.BadParameter(
            f"{value!r} is no time zone; write it like Europe/Berlin"
        ) from None
    return value


SECONDS = click.FloatRange(min=0.05, max=7 * 86400)


moved_option = click.option(
    "--moved",
    is_flag=True,
    help="Continue with a database that another machine or account used last.",
)


@click.command("run", short_help="Load, submit, poll, download; run it again to resume.")
@click.argument("manifest", required=False, type=click.Path(path_type=Path))
@click.option("--name", help="Of the batch (default: the manifest's own, or its file's).")
@click.option(
    "--batch",
    shell_complete=batches,
    help="Resume this batch; without it and MANIFEST: every unfinished one.",
)
@click.option("--budget", type=USD, metavar="USD", help="Cap of the batch, kept with it.")
@click.option(
    "--cap",
    "campaigns",
    multiple=True,
    callback=_campaign_caps,
    metavar="CAMPAIGN=USD",
    help="Cap of a campaign; can be repeated.",
)
@click.option("--day-budget", type=USD, metavar="USD", help="Cap of each day, over all batches.")
@click.option(
    "--time-zone", callback=_zone, metavar="ZONE", help="Whose days these are.  [default: UTC]"
)
@click.option("--max-price", type=USD, metavar="USD", help="Highest price to pay for one video.")
@click.option("--min-balance", type=USD, metavar="USD", help="What the account shall keep.")
@click.option("--wait-for-funds", is_flag=True, help="Wait for money instead of ending without it.")
@click.option(
    "--refunds",
    type=click.Choice(["none", "system", "all"]),
    help="Failed videos that your account gets its money back for.  [default: none]",
)
@click.option(
    "--max-in-flight",
    type=click.IntRange(1, 100_000),
    default=16,
    show_default=True,
    help="Unfinished generations at the same time.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, max=10_000),
    default=5.0,
    show_default=True,
    help="Submissions a second; 0: no limit.",
)
@click.option("--poll-interval", type=SECONDS, help="Seconds between looks.  [default: 5]")
@click.option(
    "--request-timeout", type=SECONDS, default=60.0, show_default=True, help="Seconds a request."
)
@click.option(
    "--generation-timeout",
    type=SECONDS,
    default=1800.0,
    show_default=True,
    help="Seconds after which a video counts as overdue.",
)
@click.option(
    "--grace",
    type=SECONDS,
    default=180.0,
    show_default=True,
    help="Seconds for which a submission in doubt is looked for.",
)
@click.option(
    "--retries",
    type=click.IntRange(0, 20),
    default=2,
    show_default=True,
    help="New attempts after the provider's own failures.",
)
@click.option(
    "--download",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="BATCHSORA_RUN_DOWNLOAD",
    help="Where the files go.  [default: videos; in a rehearsal sandbox-videos]",
)
@click.option("--no-download", is_flag=True, help="Fetch no files.")
@rate_option
@click.option(
    "--allow-private-downloads",
    is_flag=True,
    help="Accept files from this machine and private networks.",
)
@click.option(
    "--callback-base",
    metavar="URL",
    help="Where 'batchsora web --webhooks' is reached: ends are announced there.",
)
@pick_options
@click.option("--skip-invalid", is_flag=True, help="Go on with the valid rows.")
@click.option("--allow-unknown", is_flag=True, help="Accept columns that look misspelt.")
@click.option("--redo-changed", is_flag=True, help="Buy edited rows anew that were paid for.")
@click.option("--keep-both", is_flag=True, help="Changed rows without id are other videos.")
@click.option(
    "--adopt-existing", is_flag=True, help="Take over videos that are paid for already, at no cost."
)
@click.option(
    "--buy-again", is_flag=True, help="Buy rows although their videos are paid for already."
)
@click.option("--sandbox", is_flag=True, help="Rehearse on this machine: no money, real files.")
@click.option(
    "--wait-for-runner", is_flag=True, help="Begin when the runner that is at work has ended."
)
@moved_option
@click.option("--manifest-sha256", hidden=True, help="The only content that is loaded.")
@click.option("--yes", is_flag=True, help="Spend without asking.")
@reading_options
@global_options
@click.pass_obj
def command(
    cli: Cli,
    /,
    manifest: Path | None,
    batch: str | None,
    source: "Callable[[Path], Source]",
    **flags: Any,
) -> int:
    """Load MANIFEST if given, then submit, poll and download until nothing is left.

    Run it again to resume. Caps stay with the batch; a flag replaces a kept one.

    \b
    Examples:
      batchsora run prompts.csv --budget 6.00
      batchsora run prompts.csv --sandbox
      batchsora run                      (resumes every unfinished batch)
    """
    from batchsora.app.callbacks import callback_url
    from batchsora.app.earlier import OnExisting
    from batchsora.app.start import StartRequest, start

    if manifest is not None and batch is not None:
        raise click.UsageError("give MANIFEST or --batch, not both")
    if flags["redo_changed"] and flags["keep_both"]:
        raise click.UsageError("give --redo-changed or --keep-both, not both")
    if flags["adopt_existing"] and flags["buy_again"]:
        raise click.UsageError("give --adopt-existing or --buy-again, not both")
    on_existing = OnExisting.ASK
    if flags["adopt_existing"] or flags["buy_again"]:
        on_existing = OnExisting.ADOPT if flags["adopt_existing"] else OnExisting.BUY
    settings = cli.settings(sandbox=flags["sandbox"])
    base = flags["callback_base"]
    announced_at = None if base is None else callback_url(base, settings)
    request = StartRequest(
        source=None
        if manifest is None
        else replace(source(manifest), sha256=flags["manifest_sha256"]),
        batch=batch,
        caps=caps_of(flags, click.get_current_context()),
        loading=_loading(flags),
        terms=_terms(flags, announced_at),
        pick=pick_of(flags["first"], flags["sample"], flags["seed"]),
        on_existing=on_existing,
        consent=flags["yes"],
        patient=flags["wait_for_runner"],
        moved=flags["moved"],
    )
    return int(start(request, settings, cli.hooks, cli))


def caps_of(flags: dict[str, Any], context: click.Context) -> "Caps":
    """Read the caps from the options as they were parsed."""
    from batchsora.app.loading import Caps
    from batchsora.cli.configured import caps_said
    from jobs.ledger import Refunds

    return Caps(
        **caps_said(context, flags),
        campaigns=flags["campaigns"],
        time_zone=flags["time_zone"],
        refunds=None if flags["refunds"] is None else Refunds(flags["refunds"]),
    )


def _loading(flags: dict[str, Any]) -> "LoadOptions":
    from batchsora.app.loading import LoadOptions
    from jobs.ports.loading import OnChange

    on_change = OnChange.STOP
    if flags["redo_changed"]:
        on_change = OnChange.REDO
    elif flags["keep_both"]:
        on_change = OnChange.KEEP
    return LoadOptions(
        name=flags["name"],
        skip_invalid=flags["skip_invalid"],
        allow_unknown=flags["allow_unknown"],
        on_change=on_change,
    )


def _terms(flags: dict[str, Any], announced_at: str | None) -> "RunTerms":
    from batchsora.app.terms import run_terms, usual_folder

    rehearsal = flags["sandbox"]
    folder = flags["folder"] or usual_folder(rehearsal=rehearsal)
    names = (
        "max_in_flight",
        "rate",
        "poll_interval",
        "request_timeout",
        "generation_timeout",
        "grace",
        "retries",
        "wait_for_funds",
    )
    return run_terms(
        None if flags["no_download"] else folder,
        rehearsal=rehearsal,
        private=flags["allow_private_downloads"],
        download_rate=flags["download_rate"] or 0,
        callback_url=announced_at,
        **{name: flags[name] for name in names},
    )
