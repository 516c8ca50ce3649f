"""``batchsora export``: the results beside their rows."""

from pathlib import Path

import click

from batchsora.cli.common import Cli, global_options
from batchsora.cli.completing import batches
from batchsora.cli.picking import STATES


@click.command("export", short_help="Write the manifest's columns and the results.")
@click.option(
    "-o",
    "--output",
    "target",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file: .csv, .jsonl or .json.",
)
@click.option("--batch", shell_complete=batches, help="Only this batch.")
@click.option(
    "--status", "states", multiple=True, type=click.Choice(STATES), help="Only these; repeatable."
)
@global_options
@click.pass_obj
def command(cli: Cli, /, target: Path, batch: str | None, states: tuple[str, ...]) -> int:
    """Write the manifest's own columns, untouched and in order, then the results.

    The file can be loaded again as a manifest: its rows keep their keys, and nothing is bought
    twice.

    \b
    Examples:
      batchsora export -o results.csv
      batchsora export -o failed.csv --status failed
    """
    from batchsora.app.databases import existing_store
    from batchsora.export import export_batches

    with existing_store(cli.settings().database) as store:
        rows = export_batches(store, target, batch, states)
    cli.result({"file": str(target), "rows": rows}, lambda: f"{rows} row(s) in {target}")
    return 0
