"""``batchsora export``: the results beside their rows."""

from pathlib import Path

import click

from batchsora.cli.common import Cli
from batchsora.cli.completing import batches
from batchsora.cli.global_options import global_options
from batchsora.cli.picking import STATES


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
@global_options
@click.pass_obj
def command(
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
    from batchsora.composition.databases import existing_store
    from batchsora.usecases.exports import export, export_in_place

    if (target is None) == (not in_place):
        raise click.UsageError("use either -o FILE or --in-place")
    if in_place and states:
        raise click.UsageError("--status needs a new table: name it with -o")
    from batchsora.composition.ownership import names_own_files, owner_of

    settings = cli.settings()
    with existing_store(settings.database) as store:
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
