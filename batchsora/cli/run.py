"""``batchsora run``: load if given, then go on until nothing is left."""

from pathlib import Path

import click

from batchsora.cli.common import Cli
from batchsora.cli.configured import caps_said
from batchsora.cli.flags import Grouped, options
from batchsora.cli.global_options import global_options
from batchsora.options import ReadingOptions, RunOptions


@click.command("run", cls=Grouped, short_help="Buy and download a manifest's videos, or resume.")
@click.argument("manifest", required=False, type=click.Path(path_type=Path))
@options(RunOptions, "run")
@options(ReadingOptions, "run", into="reading")
@global_options
@click.pass_obj
def command(
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
    settings = cli.settings(sandbox=options.sandbox)
    request = StartRequest(
        None if manifest is None else source_of(manifest, reading, options.manifest_sha256),
        options,
        caps_said(click.get_current_context(), options),
    )
    return int(start(request, Context(settings, cli.deps, cli)))
