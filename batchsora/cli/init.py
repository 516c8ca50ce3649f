"""``batchsora init``: a folder to begin in."""

from pathlib import Path

import click

from batchsora.cli.common import Cli
from batchsora.cli.global_options import global_options


@click.command("init", short_help="Write a commented configuration and a first manifest.")
@click.argument("folder", default=".", type=click.Path(file_okay=False, path_type=Path))
@global_options
@click.pass_obj
def command(cli: Cli, /, folder: Path) -> int:
    """Write a commented batchsora.toml and a first manifest, prompts.csv, into FOLDER (here).

    Existing files are never overwritten.

    \b
    Examples:
      batchsora init
      batchsora init summer
    """
    from batchsora.usecases.scaffold import MANIFEST, begin

    begun = begin(folder)
    for path in begun.kept:
        cli.say(f"{path} already exists and was not changed")
    if folder.resolve() != Path.cwd():
        cli.say(f"next: cd {folder}")
    cli.say(f"next: batchsora run {MANIFEST} --sandbox   tries it here, free of charge")
    cli.say("then: batchsora login                       stores your token")
    cli.say(f"      batchsora plan {MANIFEST}            shows what it would cost")
    cli.say(f"      batchsora run {MANIFEST} --budget 1  buys it")
    document = {
        "written": [str(path) for path in begun.written],
        "kept": [str(path) for path in begun.kept],
    }
    cli.result(document, lambda: "\n".join(f"written: {path}" for path in begun.written))
    return 0
