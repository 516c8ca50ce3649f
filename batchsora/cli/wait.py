"""``batchsora wait``: until jobs are finished, with progress."""

from pathlib import Path

import click

from batchsora.cli.common import Cli, global_options
from batchsora.cli.picking import batch_option, jobs_argument


@click.command("wait", short_help="Wait until jobs are finished; buys nothing.")
@jobs_argument
@batch_option
@click.option(
    "--download",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Fetch the files into this folder.",
)
@click.option(
    "--poll-interval",
    type=click.FloatRange(min=0.05, max=86400),
    help="Seconds between looks, where no run looks already.  [default: 5]",
)
@click.option("--sandbox", is_flag=True, help="Of the rehearsal on this machine.")
@global_options
@click.pass_obj
def command(
    cli: Cli,
    /,
    job: tuple[str, ...],
    batch: str | None,
    folder: Path | None,
    poll_interval: float | None,
    *,
    sandbox: bool,
) -> int:
    """Wait until each JOB is finished, or all that is under way. Nothing is bought.

    \b
    Examples:
      batchsora wait
      batchsora wait sunset-03 --download films
    """
    from batchsora.app.terms import run_terms
    from batchsora.app.views import job_json
    from batchsora.app.waiting import wait
    from batchsora.cli.generate import line

    terms = run_terms(folder, rehearsal=sandbox, poll_interval=poll_interval)
    settings = cli.settings(sandbox=sandbox)
    # without a name of a job it was not told which of several is meant
    named = batch is not None or not job
    code, found = wait(job, batch, terms, settings, cli.hooks, cli)
    cli.result(
        [job_json(one) for one in found], lambda: "\n".join(line(one, batch=named) for one in found)
    )
    return int(code)
