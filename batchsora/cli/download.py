"""``batchsora download``: fetch files that are not here yet."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from batchsora.cli.common import Cli, global_options
from batchsora.cli.completing import batches, jobs
from batchsora.cli.rates import rate_option

if TYPE_CHECKING:
    from batchsora.download import DownloadReport


@click.command("download", short_help="Fetch files that are missing, at no cost.")
@click.argument("job", nargs=-1, shell_complete=jobs)
@click.option("--batch", shell_complete=batches, help="Only this batch.")
@click.option(
    "--download",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("videos"),
    show_default=True,
    help="Where the files go.",
)
@rate_option
@click.option(
    "--allow-private-downloads",
    "private",
    is_flag=True,
    help="Accept files from this machine and private networks.",
)
@global_options
@click.pass_obj
def command(
    cli: Cli,
    /,
    job: tuple[str, ...],
    batch: str | None,
    folder: Path,
    download_rate: int | None,
    *,
    private: bool,
) -> int:
    """Fetch the files of completed jobs that are missing, or of each JOB. It costs nothing.

    Files that were deleted are fetched again while the provider still has them.

    \b
    Examples:
      batchsora download
      batchsora download sunset-03 --download films
    """
    from batchsora.app.databases import existing_store
    from batchsora.app.files import fetch_files
    from batchsora.app.session import endpoint
    from batchsora.download import DownloadPolicy

    settings = cli.settings()
    with endpoint(settings) as place, existing_store(settings.database) as store:
        policy = DownloadPolicy(
            folder, allow_private=private or place.private_files, rate=download_rate or 0
        )
        report = fetch_files(store, place, policy, batch, job, cli.hooks)
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
