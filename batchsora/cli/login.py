"""``batchsora login``: keep the token."""

import sys

import click

from batchsora.cli.common import Cli
from batchsora.cli.global_options import global_options


@click.command("login", short_help="Store your token in the system keyring, or in a file.")
@click.option("--no-check", is_flag=True, help="Don't check the token with the API.")
@global_options
@click.pass_obj
def command(cli: Cli, /, *, no_check: bool) -> int:
    """Ask for the token, check it with the API, and store it in the system keyring.

    With --token-file it is kept in that file, which you alone can read. The token is typed unseen,
    or comes through a pipe; it is never an argument. It is kept for this --base-url alone.

    \b
    Examples:
      batchsora login
      pass show runblob | batchsora login --token-file ~/.config/batchsora/token
    """
    import os

    from batchsora.composition.tokens import check, check_address, keep
    from batchsora.settings import TOKEN_VARIABLE
    from jobs.model.money import usd_text

    settings = cli.settings()
    check_address(settings)
    token = _asked(settings.origin)
    balance = None if no_check else usd_text(check(settings, token))
    place = keep(settings, token)
    if os.environ.get(TOKEN_VARIABLE):
        cli.say(f"{TOKEN_VARIABLE} is set, and takes precedence over the stored token")
    accepted = "" if balance is None else f" accepts the token (balance ${balance})"
    document = {"origin": settings.origin, "place": place, "balance": balance}
    cli.result(document, lambda: f"{settings.origin}{accepted}: token stored in {place}")
    return 0


def _asked(origin: str) -> str:
    """Read the token, unseen."""
    from batchsora.settings import LONGEST_TOKEN, SettingsError, token_of

    if sys.stdin.isatty():
        typed = click.prompt(f"Token for {origin}", hide_input=True, err=True)
        found = token_of(str(typed).encode("utf-8", "replace"), "what you typed")
    else:
        found = token_of(sys.stdin.buffer.read(LONGEST_TOKEN + 1), "standard input")
    if not found:
        raise SettingsError("no token on standard input; nothing was stored")
    return found
