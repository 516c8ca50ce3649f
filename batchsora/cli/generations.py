"""``batchsora generations``: what the account has."""

import shutil

import click

from batchsora.cli.common import Cli
from batchsora.cli.global_options import global_options


@click.command("generations", short_help="List the account's generations, or show one.")
@click.argument("generation_id", required=False)
@click.option(
    "--limit", type=click.IntRange(1, 100), default=20, show_default=True, help="How many to list."
)
@click.option(
    "--offset", type=click.IntRange(0), default=0, show_default=True, help="How many to skip."
)
@global_options
@click.pass_obj
def command(cli: Cli, /, generation_id: str | None, limit: int, offset: int) -> int:
    """List the account's generations, newest first, with the rows that they belong to, or show one.

    \b
    Examples:
      batchsora generations --limit 50
      batchsora generations 0b6c1f0e-5d0f-4c56-9f6e-2f4f5b1f3a11 --json
    """
    from batchsora.usecases.generations import as_json, one_text, page_text, read, rows_of

    settings = cli.settings()
    try:
        found = read(settings, generation_id, limit, offset)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="GENERATION_ID") from error
    rows = rows_of(settings, found)
    if generation_id is not None:
        cli.result(as_json(found[0], rows), lambda: one_text(found[0], rows))
        return 0
    width = shutil.get_terminal_size().columns
    cli.result([as_json(one, rows) for one in found], lambda: page_text(found, rows, width))
    return 0
