"""The commands that show, and write out, what is there: they buy nothing."""

import shutil
import sys
from pathlib import Path

import click

from batchsora.cli.common import Cli
from batchsora.cli.flags import Grouped, global_options, options
from batchsora.cli.picking import (
    STATES,
    batch_option,
    batches,
    campaign_option,
    jobs,
    kind_option,
    model_option,
    sandbox_option,
    search_option,
)
from batchsora.cli.text import IN_JOBS, IN_STATUS, IN_STORY
from batchsora.options import RunOptions


@click.command("status", short_help="Show the progress of batches.")
@click.option("--batch", shell_complete=batches, help="Only this batch.")
@sandbox_option
@global_options
def status_command(cli: Cli, /, batch: str | None) -> int:
    """Show the progress of batches: jobs by state, money, budgets, and what they wait for.

    \b
    Examples:
      batchsora status
      batchsora status --batch summer --json
    """
    from batchsora.presentation.json_shapes import status_json, status_text
    from jobs.database.lock import current_runner
    from jobs.queries.lists import existing_lists

    database = cli.settings().database
    with existing_lists(database) as lists, lists.snapshot() as seen:
        found = [seen.status(row) for row in seen.batches(batch)]
        account = seen.account()
    runner = current_runner(database)
    cli.result(
        status_json(found, account.balance_micros, runner),
        lambda: status_text(found, account.balance_micros, runner),
        IN_STATUS,
    )
    return 0


SORTS = ("row", "state", "price", "submitted", "completed", "attempts")


@click.command("jobs", cls=Grouped, short_help="List jobs with price, state and errors.")
@batch_option
@click.option(
    "--status", "states", multiple=True, type=click.Choice(STATES), help="Only these; repeatable."
)
@kind_option
@campaign_option
@model_option
@search_option
@click.option(
    "--sort", type=click.Choice(SORTS), default="row", show_default=True, help="Sort order."
)
@click.option("--group-by", type=click.Choice(["error"]), help="Group failures by their message.")
@sandbox_option
@global_options
def jobs_command(
    cli: Cli,
    /,
    batch: str | None,
    states: tuple[str, ...],
    kinds: tuple[str, ...],
    campaigns: tuple[str, ...],
    made_by: tuple[str, ...],
    search: str,
    sort: str,
    group_by: str | None,
) -> int:
    """List jobs in the order of their manifest, with state, price and error.

    \b
    Examples:
      batchsora jobs --status failed --group-by error
      batchsora jobs --batch summer --model kling --search "red kite" --json
    """
    from batchsora.presentation.job_table import table_text
    from batchsora.presentation.json_shapes import failure_json, failures_text, job_json
    from jobs.ports.selection import Wanted
    from jobs.queries.lists import existing_lists

    wanted = Wanted(batch, states, kinds, campaigns, search=search, made_by=made_by)
    with existing_lists(cli.settings().database) as lists:
        if group_by:
            failures = lists.failures(wanted)
            cli.result([failure_json(one) for one in failures], lambda: failures_text(failures))
            return 0
        found = lists.jobs(wanted, sort)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    cli.result([job_json(job) for job in found], lambda: table_text(found, width), IN_JOBS)
    return 0


@click.command("show", short_help="Show a job's history: attempts, times, money, errors.")
@click.argument("job", shell_complete=jobs)
@batch_option
@sandbox_option
@global_options
def show_command(cli: Cli, /, job: str, batch: str | None) -> int:
    """Show the history of JOB: its attempts, times, money and errors, and what to do next.

    \b
    Examples:
      batchsora show sunset-03
      batchsora show sunset-03 --json
    """
    from batchsora.presentation.job_history import story_json, story_text
    from jobs.queries.lists import existing_lists

    with existing_lists(cli.settings().database) as lists, lists.snapshot() as seen:
        found = seen.job(job, batch)
        attempts = seen.attempts_of(found.id)
    named = batch is not None  # the next command may need it as well
    document = story_json(found, attempts, batch=named)
    cli.result(document, lambda: story_text(found, attempts, batch=named), IN_STORY)
    return 0


@click.command("generations", short_help="List the account's generations, or show one.")
@click.argument("generation_id", required=False)
@click.option(
    "--limit", type=click.IntRange(1, 100), default=20, show_default=True, help="How many to list."
)
@click.option(
    "--offset", type=click.IntRange(0), default=0, show_default=True, help="How many to skip."
)
@sandbox_option
@global_options
def generations_command(cli: Cli, /, generation_id: str | None, limit: int, offset: int) -> int:
    """List the account's generations, newest first, with the rows that they belong to, or show one.

    \b
    Examples:
      batchsora generations --limit 50
      batchsora generations 0b6c1f0e-5d0f-4c56-9f6e-2f4f5b1f3a11 --json
    """
    from batchsora.usecases.generations import as_json, one_text, page_text, read, rows_of

    settings = cli.settings()
    try:
        found = read(settings, generation_id, limit, offset)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="GENERATION_ID") from error
    rows = rows_of(settings, found)
    if generation_id is not None:
        cli.result(as_json(found[0], rows), lambda: one_text(found[0], rows))
        return 0
    width = shutil.get_terminal_size().columns
    cli.result([as_json(one, rows) for one in found], lambda: page_text(found, rows, width))
    return 0


@click.command("balance", short_help="Show the account's balance.")
@sandbox_option
@global_options
def balance_command(cli: Cli, /) -> int:
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


@click.command("export", short_help="Write the manifest's columns and the results.")
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file: .xlsx, .csv, .tsv, .jsonl, .json, or .yaml for a YAML manifest. Of several "
    "batches .xlsx gets a sheet for each; the others need --batch.",
)
@click.option("--in-place", is_flag=True, help="Write into the manifest itself; a copy is kept.")
@click.option("--batch", shell_complete=batches, help="Only this batch.")
@click.option(
    "--status", "states", multiple=True, type=click.Choice(STATES), help="Only these; repeatable."
)
@sandbox_option
@global_options
def export_command(
    cli: Cli,
    /,
    target: Path | None,
    batch: str | None,
    states: tuple[str, ...],
    *,
    in_place: bool,
) -> int:
    """Write the manifest's own columns, untouched and in order, then the results.

    An existing file is replaced only if it is an unchanged export of the same batch.
    Of a workbook, and of YAML, a copy of the manifest gets the results, with all else in it as it
    was. The file can be loaded again as a manifest: its rows keep their keys, and nothing is bought
    twice.

    \b
    Examples:
      batchsora export -o results.xlsx
      batchsora export -o failed.csv --batch night --status failed
      batchsora export --in-place --batch prompts
    """
    from batchsora.usecases.exports import export, export_in_place

    if (target is None) == (not in_place):
        raise click.UsageError("use either -o FILE or --in-place")
    if in_place and states:
        raise click.UsageError("--status needs a new table: name it with -o")
    from batchsora.composition.ownership import names_own_files, owner_of

    settings = cli.settings()
    with cli.store() as store:
        if target is None:
            own = names_own_files(store, owner_of(settings))
            done = export_in_place(store, batch, cli.deps.clock.now(), own=own)
        else:
            done = export(store, target, batch, states)
    for note in done.notes:
        cli.say(f"note: {note}")
    backup = "" if done.backup is None else f"; copy of the original: {done.backup}"
    cli.result(
        {
            "file": str(done.target),
            "rows": done.jobs,
            "backup": None if done.backup is None else str(done.backup),
            "notes": done.notes,
        },
        lambda: f"{done.jobs} row(s) in {done.target}{backup}",
    )
    return 0


@click.command("download", short_help="Download missing files, at no cost.")
@click.argument("job", nargs=-1, shell_complete=jobs)
@options(RunOptions, "download")
@global_options
def download_command(cli: Cli, /, job: tuple[str, ...], options: RunOptions) -> int:
    """Download the missing files of all completed jobs, or of each JOB. It costs nothing.

    Deleted files are downloaded again, as long as the provider still has them.

    \b
    Examples:
      batchsora download
      batchsora download sunset-03 --download films
    """
    from batchsora.composition.session import endpoint
    from batchsora.usecases.from_options import download_policy
    from batchsora.usecases.run import fetch_files

    settings = cli.settings()
    with endpoint(settings) as place, cli.store() as store:
        private = place.private_files
        policy = download_policy(options, options.folder or Path(), private_files=private)
        report = fetch_files(store, place, policy, options.batch, job, cli.deps)
    for key, error in report.failed.items():
        cli.say(f"the file of {key} is missing: {error}")
    more = ": 'batchsora download' tries again, at no cost" if report.failed else ""
    counts = f"{report.fetched} file(s) downloaded, {len(report.failed)} missing{more}"
    cli.result({"fetched": report.fetched, "failed": report.failed}, lambda: counts)
    return 3 if report.failed else 0


@click.command("report", short_help="Write a report as one web page.")
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file, such as night.html.",
)
@click.option("-b", "--batch", shell_complete=batches, help="Only this batch.")
@click.option(
    "--since", metavar="WHEN", help="Batches with something finished since 2026-11-28, 8h …"
)
@click.option("--all", "everything", is_flag=True, help="Every batch.")
@sandbox_option
@global_options
def report_command(
    cli: Cli,
    /,
    target: Path | None,
    batch: str | None,
    since: str | None,
    *,
    everything: bool,
) -> int:
    """Write one file that opens without a network and prints well.

    Without --batch, --since and --all it covers the batches of the last run. WHEN is a day
    (2026-11-28, today, yesterday), a time (2026-11-28T22:00) or how long ago (8h, 90m, 2d).

    It has the figures, what was spent and finished over time, the failures with what to do about
    them, a contact sheet of up to 200 videos and a table of up to 5,000 jobs, whose files it links.

    \b
    Examples:
      batchsora report -o night.html
      batchsora report -b summer -o summer.html
      batchsora report --since yesterday -o two-nights.html
    """
    from batchsora.cli.since import moment_of
    from batchsora.settings import SettingsError

    if target is None:
        raise click.UsageError("name the file with -o, such as -o night.html")
    if (batch is not None) + (since is not None) + everything > 1:
        raise click.UsageError("use one of --batch, --since and --all")
    now = cli.deps.clock.now()
    try:
        begin = None if since is None else moment_of(since, now)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--since") from error
    try:
        from batchsora.report.writing import last_run, write_report
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"a report needs {error.name}: install batchsora with the extra 'web': "
            "pip install '.[web]' in the folder of its source"
        ) from error
    from batchsora.composition.databases import unlinked_side_folder
    from batchsora.usecases.progress import counted

    settings = cli.settings()
    through = counted("pictures", quiet=cli.deps.quiet, unit="pictures")
    with cli.store() as store:
        if begin is None and batch is None and not everything:
            begin = last_run(store)
        done = write_report(
            store, target, batch, now, unlinked_side_folder(settings.database), through, since=begin
        )
    if done.others:
        cli.say(f"{done.others} other batch(es) are not in it; --all covers every batch")
    more = f"; {done.left_out:,} more do not fit in it" if done.left_out else ""
    cli.result(
        {
            "file": str(target),
            "batches": done.batches,
            "rows": done.rows,
            "left_out": done.left_out,
            "pictures": done.pictures,
            "bytes": done.size,
        },
        lambda: f"{done.rows:,} row(s) and {done.pictures} picture(s) in {target}{more}",
    )
    return 0


@click.command("models", short_help="List the models that make videos, and what each takes.")
@click.argument("model", required=False)
@global_options
def models_command(cli: Cli, /, model: str | None) -> int:
    """List the models that make videos: lengths, formats, prices, images and parameters.

    With MODEL, all that is known of that one, and what a lost answer means for it. A row names its
    model in the column 'model'; 'sora' makes the others.

    \b
    Examples:
      batchsora models
      batchsora models veo_3_fast
      batchsora models --json
    """
    from batchsora.cli.text import Column, table
    from batchsora.usecases.models import model_lines, models_json, models_rows

    def text() -> str:
        if model is not None:
            return "\n".join(model_lines(model))
        heads = ["model", "length", "format", "price", "images"]
        return table(models_rows(), [Column(head, folds=head == "images") for head in heads])

    cli.result(models_json(model), text)
    return 0
