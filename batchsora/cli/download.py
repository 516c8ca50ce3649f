"""``batchsora download``: fetch files that are not here yet."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from batchsora.cli.common import Cli
from batchsora.cli.completing import jobs
from batchsora.cli.flags import options
from batchsora.cli.global_options import global_options
from batchsora.options import RunOptions

if TYPE_CHECKING:
    from batchsora.run_result import DownloadReport


@click.command("download", short_help="Download missing files, at no cost.")
@click.argument("job", nargs=-1, shell_complete=jobs)
@options(RunOptions, "download")
@global_options
@click.pass_obj
def command(cli: Cli, /, job: tuple[str, ...], options: RunOptions) -> int:
    """Download the missing files of all completed jobs, or of each JOB. It costs nothing.

    Deleted files are downloaded again, as long as the provider still has them.

    \b
    Examples:
      batchsora download
      batchsora download sunset-03 --download films
    """
    from batchsora.composition.databases import existing_store
    from batchsora.composition.session import endpoint
    from batchsora.usecases.from_options import download_policy
    from batchsora.usecases.run import fetch_files

    settings = cli.settings()
    with endpoint(settings) as place, existing_store(settings.database) as store:
        private = place.private_files
        policy = download_policy(options, options.download or Path(), private_files=private)
        report = fetch_files(store, place, policy, options.batch, job, cli.deps)
    for key, error in report.failed.items():
        cli.say(f"the file of {key} is missing: {error}")
    cli.result(
        {"fetched": report.fetched, "failed": report.failed},
        lambda: _summary(report),
    )
    return 3 if report.failed else 0


def _summary(report: "DownloadReport") -> str:
    """Report how much came, and what to type for the rest."""
    counts = f"{report.fetched} file(s) fetched, {len(report.failed)} missing"
    if not report.failed:
        return counts
    return f"{counts}: 'batchsora download' tries again, at no cost"
