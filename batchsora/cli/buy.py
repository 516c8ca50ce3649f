"""The commands that buy: ``plan``, ``run``, ``generate``, and ``wait``."""

import os
import shutil
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from batchsora.cli.common import Cli
from batchsora.cli.configured import caps_said
from batchsora.cli.flags import Grouped, global_options, options
from batchsora.cli.one_video import columns_of, one_video
from batchsora.cli.picking import jobs_argument
from batchsora.cli.text import Painted
from batchsora.options import ReadingOptions, RunOptions

if TYPE_CHECKING:
    from batchsora.settings import Settings
    from batchsora.usecases.plan import Plan
    from jobs.ports.loading import StagedRow
    from jobs.ports.seen import JobRow
    from jobs.services.rehearsal import Fits


@click.command("run", cls=Grouped, short_help="Buy and download a manifest's videos, or resume.")
@click.argument("manifest", required=False, type=click.Path(path_type=Path))
@options(RunOptions, "run")
@options(ReadingOptions, "run", into="reading")
@global_options
def run_command(
    cli: Cli, /, manifest: Path | None, options: RunOptions, reading: ReadingOptions
) -> int:
    """Load MANIFEST if given, then submit, poll and download until nothing is left.

    Run it again to resume. Budgets are kept with the batch; a flag replaces them.

    \b
    Examples:
      batchsora run prompts.csv --budget 6.00
      batchsora run prompts.csv --sandbox
      batchsora run                      (resumes every unfinished batch)
    """
    from batchsora.usecases.from_options import source_of
    from batchsora.usecases.start import StartRequest, start
    from batchsora.usecases.user_interface import Context

    if manifest is not None and options.batch is not None:
        raise click.UsageError("use MANIFEST or --batch, not both")
    typed = click.get_current_context().get_parameter_source("file_name")
    if manifest is None and typed is ParameterSource.COMMANDLINE:
        raise click.UsageError("--file-name needs MANIFEST: it is checked by its rows and kept")
    settings = cli.settings()
    request = StartRequest(
        None if manifest is None else source_of(manifest, reading, options.manifest_sha256),
        options,
        caps_said(click.get_current_context(), options),
    )
    return int(start(request, Context(settings, cli.deps, cli)))


@click.command("plan", cls=Grouped, short_help="Show what a manifest would buy, and what it costs.")
@click.argument("manifest", type=click.Path(path_type=Path))
@options(RunOptions, "plan")
@options(ReadingOptions, "plan", into="reading")
@global_options
def plan_command(cli: Cli, /, manifest: Path, options: RunOptions, reading: ReadingOptions) -> int:
    """Show what MANIFEST would buy: rows, errors, cost, time, balance. Nothing is written or paid.

    Works without token, network and database. Ends with 2 when a row is invalid, or where
    a run would stop before it buys.

    \b
    Examples:
      batchsora plan prompts.xlsx
      batchsora plan prompts.csv --sample 5 --json
      batchsora plan images/ --prompt "Animate this"
    """
    from batchsora.cli.failures import FIRST_PROBLEMS
    from batchsora.composition.databases import existing_store
    from batchsora.presentation.messages import some
    from batchsora.presentation.problems import told
    from batchsora.usecases.from_options import source_of
    from batchsora.usecases.kept_reading import as_before, words_used
    from batchsora.usecases.plan import limits, make_plan, plan_json
    from jobs.database.schema import version

    settings = cli.settings()
    chosen = as_before(source_of(manifest, reading), settings.database, options.name)
    with chosen.looked_at(settings.database) as opened:
        if version(settings.database) is None:
            plan = make_plan(opened, options, None, quiet=cli.quiet)
        else:
            with existing_store(settings.database) as store:
                plan = make_plan(opened, options, store, quiet=cli.quiet)
        plan.kept = words_used(chosen, opened)
    if not options.sandbox:
        _ask_balance(plan, settings)
    plan.warnings += limits(plan)
    wrong = told(plan.problems)
    for line in wrong[:FIRST_PROBLEMS]:
        cli.say(line)
    if len(wrong) > FIRST_PROBLEMS:
        cli.say(f"… and {len(wrong) - FIRST_PROBLEMS} more; --json lists all")
    for note in some(plan.notes):
        cli.say(note)
    for warning in plan.warnings:
        cli.say(f"warning: {warning}")
    cli.result(plan_json(plan), lambda: Painted("\n".join(_lines(plan))))
    if plan.needs:
        cli.say(
            "a run would buy nothing yet: fix the rows, or add "
            f"{' and '.join(plan.needs)}; the figures assume that"
        )
    if plan.stops is not None:
        cli.say(f"a run would stop here: {plan.stops}")
    return 2 if plan.problems or plan.stops is not None else 0


def _ask_balance(plan: "Plan", settings: "Settings") -> None:
    """Add the balance, or a warning why it is unknown."""
    from batchsora.composition.session import endpoint, read_balance
    from batchsora.settings import SettingsError, find_token
    from jobs.model.provider import ProviderError

    try:
        if not settings.strange and find_token(settings, os.environ) is None:
            plan.warnings.append(
                "the balance is unknown without a token; 'batchsora login' stores one"
            )
            return
        with endpoint(settings) as place:
            plan.balance = read_balance(place, timeout=10.0)
    except (ProviderError, SettingsError) as error:
        plan.warnings.append(f"the balance is unknown: {error}")


def _lines(plan: "Plan") -> Iterator[str]:
    from batchsora.cli.text import Column, folded, table
    from batchsora.presentation.request_words import kind_text
    from batchsora.presentation.terminal_text import clean
    from batchsora.usecases.plan import price_source

    wrong = len({problem.row for problem in plan.problems})
    yield clean(f"{plan.batch}: {plan.rows} rows, {plan.all.jobs} videos") + (
        f", {wrong} row(s) invalid" if wrong else ""
    )
    width = shutil.get_terminal_size().columns
    yield folded(f"columns   {plan.mapped}", width)
    if plan.kept:
        yield folded(clean(f"saved     {' '.join(plan.kept)}"), width)
    if plan.file_names:
        yield folded(clean(f"files     {', '.join(plan.file_names)}, …"), width)
    kinds = [
        [
            kind_text(kind),
            str(count),
            _usd(plan.prices.get(kind), "unknown"),
            price_source(plan, kind) or "first video",
            _usd(plan.cost({kind: count}).whole),
        ]
        for kind, count in sorted(plan.all.kinds.items())
    ]
    heads = ["kind", "videos", "price", "as", "cost"]
    if kinds:
        yield ""
        yield table(kinds, [Column(head, right=head in _NUMBERS) for head in heads])
    campaigns = [
        [
            name,
            str(tally.jobs),
            _usd(plan.cost(tally.kinds).whole),
            _usd(plan.campaign_caps.get(name)),
        ]
        for name, tally in sorted(plan.campaigns.items())
    ]
    if campaigns:
        heads = ["campaign", "videos", "cost", "budget"]
        yield ""
        yield table(
            campaigns,
            [Column(head, right=head in _NUMBERS, folds=head == "campaign") for head in heads],
        )
    yield ""
    for line in _money(plan):
        yield folded(clean(line), width)
    if plan.samples:
        yield "\nsample requests:\n"
        yield table(
            [_sample(job) for job in plan.samples],
            [Column(folds=True), Column(), Column(folds=True)],
        )


_NUMBERS = ("videos", "price", "cost", "budget")


def _money(plan: "Plan") -> Iterator[str]:
    from batchsora.presentation.messages import (
        REDO_THEM,
        keys_text,
        paid_before,
        wait_or_take,
        waiting,
    )

    yield f"cost      {plan.cost(plan.all.kinds).text}"
    if plan.already_done:
        yield f"done      {plan.already_done} already paid for"
    if plan.edited:
        yield f"edited    {len(plan.edited)} edited after they were paid for, so not bought again:"
        yield f"          {keys_text(plan.edited)}; {REDO_THEM}"
    if plan.paid_before:
        yield f"before    {paid_before(plan.paid_before)}"
        for part in textwrap.wrap(wait_or_take(plan.paid_before), 70):
            yield f"          {part}"
    for line, (said, way_on) in enumerate(waiting(plan.waiting, plan.batch)):
        yield f"{'' if line else 'held back':<9} {said}"
        yield f"          {way_on}"
    if plan.gone:
        yield f"removed   {len(plan.gone)} unpaid row(s) left the manifest; the run cancels them:"
        yield f"          {keys_text(plan.gone)}"
    if plan.all.open.total() != plan.all.jobs:
        cost = plan.cost(plan.all.open).text
        yield f"rest      {plan.all.open.total()} to buy, for {cost}"
    if plan.picked is not None:
        cost = plan.cost(plan.picked.open).text
        yield f"picked    {plan.picked.jobs} of them, for {cost}"
    yield from _account_list(plan)
    used = f", of which {_usd(plan.used)} is used" if plan.used and plan.cap is not None else ""
    yield f"budget    {_usd(plan.cap, 'none')}{used}"
    if plan.fits is not None and (plan.cap is not None or plan.campaign_caps) and plan.to_buy:
        yield from _fits(plan.fits, sum(plan.to_buy.values()))
    yield f"balance   {_usd(plan.balance, 'unknown')}"
    hours, minutes = divmod(round(plan.seconds / 60), 60)
    time = f"{hours} h {minutes} min" if hours else f"{minutes} min"
    yield f"time      about {time}, with {plan.options.max_in_flight} in flight"


def _fits(fits: "Fits", wanted: int) -> Iterator[str]:
    """Return how far the budgets go."""
    from jobs.model.money import usd_text

    if fits.stops_at is None:
        yield f"          all {wanted} fit, for ${usd_text(fits.cost)}"
        return
    row, key = fits.stops_at
    yield f"          {fits.jobs} of {wanted} fit, for ${usd_text(fits.cost)}"
    yield f"          the first that does not fit is row {row} ({key})"


def _account_list(plan: "Plan") -> Iterator[str]:
    """Return what a run checks in the account's list, and what can't be seen there."""
    from batchsora.usecases.models import lost_answers
    from jobs.model.states import HeldBack

    if plan.to_buy:
        yield (
            "list      not checked yet: the run reads the account's list and holds back rows that "
            "are in it, or all rows if the list is not reliable"
        )
    if plan.waiting[HeldBack.EXISTS] or plan.waiting[HeldBack.ELSEWHERE]:
        yield (
            f"{'' if plan.to_buy else 'list':<9} rows held back for a video in the list are bought "
            "if that video has failed since"
        )
    for number, (model, words) in enumerate(lost_answers(plan.to_buy).items()):
        yield f"{'' if number else 'lost':<9} {model}: {words}"


def _sample(job: "StagedRow") -> list[str]:
    from batchsora.presentation.request_words import format_text, images_of

    asked = job.asked
    image = "".join(f"{source[:40]}: " for source in images_of(asked).values())
    shown = " ".join(asked.prompt.split())
    cut = shown if len(shown) <= LONGEST_SHOWN else f"{shown[: LONGEST_SHOWN - 1]}…"
    return [job.key, format_text(asked), image + cut]


LONGEST_SHOWN = 160  # characters of a prompt that a plan shows


def _usd(micros: int | None, otherwise: str = "-") -> str:
    from jobs.model.money import usd_text

    return otherwise if micros is None else f"${usd_text(micros)}"


@click.command(
    "generate", cls=Grouped, short_help="Buy one video: submit, and wait for it with --wait."
)
@click.argument("prompt")
@one_video
@click.option("--wait", is_flag=True, help="Wait for the video, with progress.")
@click.option("--again", is_flag=True, help="Buy it even if the same video is under way.")
@options(RunOptions, "generate")
@global_options
def generate_command(cli: Cli, /, prompt: str, options: RunOptions, **flags: Any) -> int:
    """Buy one video of PROMPT. It becomes a row of the batch 'adhoc', as safe as any other.

    If a run is active in another terminal, that run buys it; without --wait this command then ends
    with 0 as soon as the run has taken it over. If that run takes no new jobs (it is starting, or
    downloads its last files), this command waits for it: without --wait, for a minute. A video that
    does not fit into a budget is not bought later either.

    Without a budget (--budget is kept for later videos) it asks first; without a terminal it needs
    --budget or --yes.

    \b
    Examples:
      batchsora generate "a sunset over the sea" --wait --budget 5
      batchsora generate "the cat wakes up" --image cat.jpg --duration 15 --download .
      batchsora generate "a tram in the rain" --model kling_2.6 --param cfg_scale=0.7
    """
    from batchsora.presentation.json_shapes import job_json
    from batchsora.usecases.generate import GenerateRequest, generate
    from batchsora.usecases.user_interface import Context

    request = GenerateRequest(
        prompt=prompt,
        options=columns_of(flags),
        run=replace(options, no_download=options.download is None),
        caps=caps_said(click.get_current_context(), options),
        wait=flags["wait"] or options.download is not None,
        again=flags["again"],
    )
    settings = cli.settings()
    code, job = generate(request, Context(settings, cli.deps, cli))
    cli.result(job_json(job), lambda: line(job))
    return int(code)


def line(job: "JobRow", *, batch: bool = False) -> str:
    """Return how a job ended and what to type next, which names its batch too with ``batch``."""
    from batchsora import advice
    from batchsora.presentation.json_shapes import near
    from batchsora.presentation.terminal_text import state_text
    from jobs.model.money import usd_text

    said = f"{job.key}: {state_text(job.state)}"
    if job.charged_micros:
        said += f", ${usd_text(job.charged_micros)}"
    if job.generation_id:
        said += f", generation {job.generation_id}"
    if job.error:
        said += f" ({job.error_kind}: {job.error})"
    if job.sha256 and job.file:
        return f"{said}\n  {near(job.file)}"
    if job.video_url:
        said += f"\n  {job.video_url}"
    step = advice.of_job(job, batch=batch)
    return said if step is None else f"{said}\n  {step}"


@click.command("wait", short_help="Wait until jobs are finished; buy nothing.")
@jobs_argument
@options(RunOptions, "wait")
@global_options
def wait_command(cli: Cli, /, job: tuple[str, ...], options: RunOptions) -> int:
    """Wait for each JOB, or for all jobs that are under way. Nothing is bought.

    \b
    Examples:
      batchsora wait
      batchsora wait sunset-03 --download films
    """
    from batchsora.presentation.json_shapes import job_json
    from batchsora.usecases.user_interface import Context
    from batchsora.usecases.wait import wait

    settings = cli.settings()
    looking = replace(options, no_download=options.download is None)
    # only with the name of a job is its batch known to be the only one
    named = options.batch is not None or not job
    code, found = wait(job, looking, Context(settings, cli.deps, cli))
    cli.result(
        [job_json(one) for one in found], lambda: "\n".join(line(one, batch=named) for one in found)
    )
    return int(code)
