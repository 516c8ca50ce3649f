"""``batchsora logout``: forget the token."""

import click

from batchsora.cli.common import Cli
from batchsora.cli.global_options import global_options


@click.command("logout", short_help="Remove the stored token.")
@global_options
@click.pass_obj
def command(cli: Cli, /) -> int:
    """Remove the token that login kept: from the system keyring, or the file of --token-file.

    The account still has it; revoke it there when somebody may have seen it.

    \b
    Example:
      batchsora logout
    """
    import os

    from batchsora.composition.tokens import forget
    from batchsora.settings import TOKEN_VARIABLE

    settings = cli.settings()
    place = forget(settings)
    if os.environ.get(TOKEN_VARIABLE):
        cli.say(f"{TOKEN_VARIABLE} is still set: 'unset {TOKEN_VARIABLE}' removes it")
    said = f"no token for {settings.origin} was stored"
    if place is not None:
        said = f"the token for {settings.origin} was removed from {place}"
    cli.result({"origin": settings.origin, "removed_from": place}, lambda: said)
    return 0
