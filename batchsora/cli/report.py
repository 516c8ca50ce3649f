"""``batchsora report``: one web page to keep, send and print."""

from pathlib import Path

import click

from batchsora.cli.common import Cli
from batchsora.cli.completing import batches
from batchsora.cli.global_options import global_options


@click.command("report", short_help="Write a report as one web page.")
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file, such as night.html.",
)
@click.option("-b", "--batch", shell_complete=batches, help="Only this batch.")
@global_options
@click.pass_obj
def command(cli: Cli, /, target: Path | None, batch: str | None) -> int:
    """Write one file that opens without a network and prints well.

    It has the figures, what was spent and finished over time, the failures with what to do about
    them, a contact sheet of up to 200 videos and a table of up to 5,000 jobs, whose files it links.

    \b
    Examples:
      batchsora report -o night.html
      batchsora report -b summer -o summer.html
    """
    from batchsora.settings import SettingsError

    if target is None:
        raise click.UsageError("name the file with -o, such as -o night.html")
    try:
        from batchsora.report.writing import write_report
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"a report needs {error.name}: install batchsora with the extra 'web', as in "
            "pip install 'batchsora[web]'"
        ) from error
    from batchsora.composition.databases import existing_store, unlinked_side_folder
    from batchsora.usecases.progress import counted

    settings = cli.settings()
    through = counted("pictures", quiet=cli.deps.quiet, unit="pictures")
    with existing_store(settings.database) as store:
        done = write_report(
            store,
            target,
            batch,
            cli.deps.clock.now(),
            unlinked_side_folder(settings.database),
            through,
        )
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
