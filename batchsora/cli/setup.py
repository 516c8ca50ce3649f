"""The commands that set up, try out and serve on this machine."""

import shutil
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
from click.shell_completion import ShellComplete, get_completion_class

from batchsora.cli.common import Cli
from batchsora.cli.flags import global_options, options, read
from batchsora.cli.text import Painted
from batchsora.options import RunOptions

if TYPE_CHECKING:
    from jobs.ports.control import Terms


@click.command("init", short_help="Write a commented configuration and a first manifest.")
@click.argument("folder", default=".", type=click.Path(file_okay=False, path_type=Path))
@global_options
def init_command(cli: Cli, /, folder: Path) -> int:
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


@click.command("login", short_help="Store your token in the system keyring, or in a file.")
@click.option("--no-check", is_flag=True, help="Don't check the token with the API.")
@global_options
def login_command(cli: Cli, /, *, no_check: bool) -> int:
    """Ask for the token, check it with the API, and store it in the system keyring.

    Without a usable keyring it is stored in a file that only you can read; with --token-file, in
    that file. The token is typed unseen, or comes through a pipe; it is never an argument. It is
    stored for this --base-url alone.

    \b
    Examples:
      batchsora login
      pass show runblob | batchsora login --token-file ~/.config/batchsora/token
    """
    import os

    from batchsora.composition.tokens import check, check_address, keep, place_for
    from batchsora.settings import TOKEN_VARIABLE
    from jobs.model.money import usd_text

    settings = cli.settings()
    check_address(settings)
    chosen = place_for(settings, os.environ)
    if chosen.reason:
        cli.say(f"the system keyring can't be used ({chosen.reason})")
        cli.say(f"the token will be stored in {chosen.file}, which only you can read")
    token = _typed_token(settings.origin)
    balance = None if no_check else usd_text(check(settings, token))
    place = keep(settings, os.environ, chosen, token)
    if os.environ.get(TOKEN_VARIABLE):
        cli.say(f"{TOKEN_VARIABLE} is set, and takes precedence over the stored token")
    accepted = "" if balance is None else f" accepts the token (balance ${balance})"
    document = {"origin": settings.origin, "place": place, "balance": balance}
    cli.result(document, lambda: f"{settings.origin}{accepted}: token stored in {place}")
    return 0


def _typed_token(origin: str) -> str:
    from batchsora.settings import LONGEST_TOKEN, SettingsError, token_of

    if sys.stdin.isatty():
        typed = click.prompt(f"Token for {origin}", hide_input=True, err=True)
        found = token_of(str(typed).encode("utf-8", "replace"), "what you typed")
    else:
        found = token_of(sys.stdin.buffer.read(LONGEST_TOKEN + 1), "standard input")
    if not found:
        raise SettingsError("no token on standard input; nothing was stored")
    return found


@click.command("logout", short_help="Remove the stored token.")
@global_options
def logout_command(cli: Cli, /) -> int:
    """Remove the token that login stored: from the system keyring and its file.

    With --token-file (or BATCHSORA_TOKEN_FILE) it is removed from that file alone.

    The account still has it; revoke it there when somebody may have seen it.

    \b
    Example:
      batchsora logout
    """
    import os

    from batchsora.composition.tokens import forget
    from batchsora.settings import TOKEN_VARIABLE

    settings = cli.settings()
    place = " and ".join(forget(settings, os.environ)) or None
    if os.environ.get(TOKEN_VARIABLE):
        cli.say(f"{TOKEN_VARIABLE} is still set: 'unset {TOKEN_VARIABLE}' removes it")
    said = f"no token for {settings.origin} was stored"
    if place is not None:
        said = f"the token for {settings.origin} was removed from {place}"
    cli.result({"origin": settings.origin, "removed_from": place}, lambda: said)
    return 0


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
def demo_command(cli: Cli, /, manifest: Path | None, folder: Path) -> int:
    """Run a sample manifest (or MANIFEST) on the sandbox: no token, no money, real files.

    One row fails and one stays unconfirmed, on purpose; the commands that it ends with settle both.

    \b
    Example:
      batchsora demo --folder /tmp/demo
    """
    from batchsora.usecases.demo import run_demo, sample_manifest

    with sample_manifest() if manifest is None else nullcontext(manifest) as chosen:
        return int(run_demo(chosen, folder, _as_typed(sys.argv[0]), cli.deps, cli))


def _as_typed(program: str) -> str:
    """Return how this program is started from this folder: by its name, if the shell finds it."""
    from jobs.system import quote

    name = Path(program).stem  # without .exe
    if name != "batchsora":
        return f"{quote(sys.executable)} -m batchsora"
    found = shutil.which(name)
    if found is not None and Path(found).resolve() == Path(shutil.which(program) or "").resolve():
        return name
    return quote(program)


@click.command("sandbox", short_help="Serve a free copy of the API on this machine.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True)
@click.option("--time-scale", type=click.FloatRange(min=0.01), default=200.0, show_default=True,
              help="Speed-up over the real API.")  # fmt: skip
@click.option("--balance", default="100.00", show_default=True, help="Balance of the account, USD.")
@click.option("--faults", default="", metavar="NAME=VALUE,…",
              help="Faults, as drop=0.1,list=capped:20; `help` lists all.")  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the random numbers.")
@click.option("--state", type=click.Path(dir_okay=False, path_type=Path),
              help="Keep its generations in this file across restarts.")  # fmt: skip
@global_options
def sandbox_command(
    cli: Cli,
    /,
    port: int,
    time_scale: float,
    balance: str,
    faults: str,
    seed: int,
    state: Path | None,
) -> int:
    """Serve the provider's API on loopback, with real small videos and no money.

    GET /__ledger shows what it really charged. --faults makes it answer as badly as real
    providers do: lost answers, lists that lag or leave out, refusals, expired addresses.

    \b
    Example:
      batchsora sandbox --port 8765 --faults drop=0.1 &
      RUNBLOB_API_KEY=test batchsora --base-url http://127.0.0.1:8765 run prompts.csv --yes
      batchsora sandbox --faults help
    """
    if faults == "help":
        from batchsora.sandbox.table import as_text

        click.echo(as_text())
        return 0
    from batchsora.composition.sandbox_session import serve_sandbox

    serve_sandbox(port, time_scale, balance, faults, seed, state, cli.say)
    return 0


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
def web_command(
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
            f"the page needs {error.name}: install batchsora with the extra 'web': "
            "pip install '.[web]' in the folder of its source"
        ) from error

    settings = cli.settings()
    browser, standing = not no_browser, _standing(cli)
    terms = WebTerms(
        host,
        port,
        names,
        password_file,
        options.folder or Path(),
        browser=browser,
        webhooks=webhooks,
        standing=standing,
        terminal=cli.shows_to_a_terminal(),
    )
    serve(settings, terms, cli.deps, cli.say, cli.show)
    return 0


def _standing(cli: Cli) -> "Terms":
    """Read the caps that 'run' would take from environment and configuration."""
    from batchsora.cli import buy
    from batchsora.cli.configured import caps_said, check_found

    context = click.get_current_context()
    with buy.run_command.make_context("run", [], parent=context.parent) as bare:
        # whoever starts a run on the page has agreed to its cap, and the page names the folder
        check_found(cli.configuration, bare, agreed=True)
        return caps_said(bare, read(RunOptions, "run", bare.params))


@click.command("schema", short_help="Print the JSON Schema of manifests, for your editor.")
@global_options
def schema_command(cli: Cli, /) -> int:
    """Print a JSON Schema (2020-12) of YAML and JSON manifests.

    With it an editor completes keys and values, explains them, and underlines errors: an unknown
    key, an unsupported duration, a prompt that is too long.

    \b
    Example:
      first:    batchsora schema > manifest.schema.json
      in YAML:  # yaml-language-server: $schema=manifest.schema.json
      in JSON:  "$schema": "manifest.schema.json",
    """
    import json

    from batchsora.manifest.schema import json_schema

    schema = json_schema()
    cli.result(schema, lambda: Painted(json.dumps(schema, indent=2)))
    return 0


@click.command("completion", short_help="Print the script for shell completion.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@global_options
def completion_command(cli: Cli, /, shell: str) -> int:
    """Print the script that lets SHELL complete commands, options, batches and jobs.

    \b
    Examples:
      bash:  batchsora completion bash >> ~/.bashrc
      zsh:   batchsora completion zsh >> ~/.zshrc     (after compinit)
      fish:  batchsora completion fish > ~/.config/fish/completions/batchsora.fish

    It takes effect in new shells.
    """
    completing = cast("type[ShellComplete]", get_completion_class(shell))
    root = click.get_current_context().find_root().command
    script = completing(root, {}, "batchsora", "_BATCHSORA_COMPLETE").source()
    cli.result({"shell": shell, "script": script}, lambda: Painted(script))
    return 0
