"""``batchsora web``: the page."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from batchsora.cli.common import Cli
from batchsora.cli.flags import options, read
from batchsora.cli.global_options import global_options
from batchsora.options import RunOptions

if TYPE_CHECKING:
    from jobs.ports.control import Terms


@click.command("web", short_help="Watch, review and control batches in a browser.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; other "
    "machines need a password.",
)  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535),
              help="Port to listen on (default: a random free one). With a password or "
              "--webhooks 8321.")  # fmt: skip
@click.option(
    "--allow-host",
    "names",
    metavar="NAME",
    multiple=True,
    help="Another host name of the page, such as a proxy's.",
)
@click.option(
    "--password-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File with the password, if not in BATCHSORA_WEB_PASSWORD.",
)
@options(RunOptions, "web")
@click.option("--webhooks", is_flag=True, help="Take the API's callbacks ('run --callback-base').")
@click.option("--no-browser", is_flag=True, help="Don't open a browser.")
@global_options
@click.pass_obj
def command(
    cli: Cli,
    /,
    host: str,
    port: int | None,
    names: tuple[str, ...],
    password_file: Path | None,
    options: RunOptions,
    *,
    webhooks: bool,
    no_browser: bool,
) -> int:
    """Serve a page to watch, review and control batches, until Ctrl-C.

    It reads the same database as a run in another terminal, and does not disturb it. Runs that are
    started on the page are processes of their own: they continue when it is closed.

    Without a password the page opens by an address that works once; the terminal shows the next.
    Where the output is no terminal, a file that only you can read has it.

    \b
    Examples:
      batchsora web
      batchsora web --webhooks
      BATCHSORA_WEB_PASSWORD=… batchsora web --host 0.0.0.0 --allow-host videos.example
    """
    from batchsora.settings import SettingsError

    try:
        from batchsora.web.serve import WebTerms, serve
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"the page needs {error.name}: install batchsora with the extra 'web', as in "
            "pip install 'batchsora[web]'"
        ) from error

    settings = cli.settings()
    browser, standing = not no_browser, _standing(cli)
    terms = WebTerms(
        host,
        port,
        names,
        password_file,
        options.download or Path(),
        browser=browser,
        webhooks=webhooks,
        standing=standing,
        terminal=cli.shows_to_a_terminal(),
    )
    serve(settings, terms, cli.deps, cli.say, cli.show)
    return 0


def _standing(cli: Cli) -> "Terms":
    """Read the caps that 'run' takes from environment and configuration, as one without flags.

    Raises:
        SettingsError: the runs that are started here would refuse the configuration.
    """
    from batchsora.cli import run
    from batchsora.cli.configured import caps_said, check_found

    context = click.get_current_context()
    with run.command.make_context("run", [], parent=context.parent) as bare:
        # whoever starts a run on the page has agreed to its cap, and the page names the folder
        check_found(cli.configuration, bare, agreed=True)
        return caps_said(bare, read(RunOptions, "run", bare.params))
