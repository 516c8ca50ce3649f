"""``batchsora demo``: a complete run against the sandbox."""

from contextlib import nullcontext
from pathlib import Path

import click

from batchsora.cli.common import Cli
from batchsora.cli.global_options import global_options


@click.command("demo", short_help="Run a complete demo locally, free of charge.")
@click.argument("manifest", required=False, type=click.Path(path_type=Path))
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Folder for videos, table and database.",
)
@global_options
@click.pass_obj
def command(cli: Cli, /, manifest: Path | None, folder: Path) -> int:
    """Run a sample manifest (or MANIFEST) on the sandbox: no token, no money, real files.

    \b
    Example:
      batchsora demo --folder /tmp/demo
    """
    from batchsora.usecases.demo import run_demo, sample_manifest

    with sample_manifest() if manifest is None else nullcontext(manifest) as chosen:
        return int(run_demo(chosen, folder, cli.deps, cli))
