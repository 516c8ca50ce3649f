"""``batchsora wait``: until jobs are finished, with progress."""

from dataclasses import replace

import click

from batchsora.cli.common import Cli
from batchsora.cli.flags import options
from batchsora.cli.global_options import global_options
from batchsora.cli.picking import jobs_argument
from batchsora.options import RunOptions


@click.command("wait", short_help="Wait until jobs are finished; buy nothing.")
@jobs_argument
@options(RunOptions, "wait")
@global_options
@click.pass_obj
def command(cli: Cli, /, job: tuple[str, ...], options: RunOptions) -> int:
    """Wait for each JOB, or for all jobs that are under way. Nothing is bought.

    \b
    Examples:
      batchsora wait
      batchsora wait sunset-03 --download films
    """
    from batchsora.cli.generate import line
    from batchsora.presentation.json_shapes import job_json
    from batchsora.usecases.user_interface import Context
    from batchsora.usecases.wait import wait

    settings = cli.settings(sandbox=options.sandbox)
    looking = replace(options, no_download=options.download is None)
    # without a name of a job it was not told which of several is meant
    named = options.batch is not None or not job
    code, found = wait(job, looking, Context(settings, cli.deps, cli))
    cli.result(
        [job_json(one) for one in found], lambda: "\n".join(line(one, batch=named) for one in found)
    )
    return int(code)
