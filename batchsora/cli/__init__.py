"""The command line: each module has a few commands, and is loaded when one is asked for.

Command modules import click and nothing heavy; their bodies import what they need when they run,
because ``--help`` and completion must not pay a second for SQLModel (docs/performance.md).
"""

import importlib
import sys
from collections.abc import Sequence
from typing import Any, Final

import click
from click.exceptions import NoSuchCommand, NoSuchOption

from batchsora._version import __version__
from batchsora.cli import failures
from batchsora.cli.common import Cli
from batchsora.cli.flags import global_options
from batchsora.cli.streams import standard_streams

PREFIX: Final = "BATCHSORA"


def name_as_typed(command: click.Command) -> None:
    """Name the environment's variables as the command line names options.

    click names them after a command's variables, which sometimes differ; both names work.
    """
    for option in command.params:
        if isinstance(option, click.Option) and option.envvar is None:
            typed = max(option.opts, key=len).lstrip("-").replace("-", "_")
            if option.allow_from_autoenv and typed != option.name:
                option.envvar = f"{PREFIX}_{command.name}_{typed}".upper()


COMMANDS: Final = {
    "init": "setup",
    "login": "setup",
    "logout": "setup",
    "doctor": "doctor",
    "plan": "buy",
    "run": "buy",
    "generate": "buy",
    "status": "look",
    "jobs": "look",
    "show": "look",
    "wait": "buy",
    "budget": "budget",
    "retry": "control",
    "abandon": "control",
    "cancel": "control",
    "pause": "control",
    "resume": "control",
    "rm": "control",
    "resolve": "control",
    "reconcile": "control",
    "export": "look",
    "download": "look",
    "report": "look",
    "balance": "look",
    "prices": "control",
    "models": "look",
    "generations": "look",
    "web": "setup",
    "sandbox": "setup",
    "demo": "setup",
    "schema": "setup",
    "completion": "setup",
}
"""The module of each command, in the order of a person's work."""


class LazyGroup(click.Group):
    """A group that loads a command's module when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of :data:`COMMANDS`, not of the alphabet."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load the command's module."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"batchsora.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        name_as_typed(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; for a name that is none, suggest the nearest."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            raise NoSuchCommand(name, possibilities=COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read what stands before the command; an option of a command belongs behind it."""
        try:
            return super().parse_args(ctx, args)
        except NoSuchOption as error:
            known = [name for name in COMMANDS if self._takes(ctx, name, error.option_name)]
            if not known:
                raise
            named = next((one for one in args if one in known), known[0])
            raise click.UsageError(
                f"{error.option_name} is an option of a command: type it behind the command, as "
                f"'batchsora {named} {error.option_name}'",
                ctx=ctx,
            ) from None

    def _takes(self, ctx: click.Context, name: str, option: str) -> bool:
        command = self.get_command(ctx, name)
        return command is not None and any(option in one.opts for one in command.params)


@click.group(
    cls=LazyGroup,
    # BATCHSORA_RUN_BUDGET is the environment's 'run --budget', and so with every option
    context_settings={
        "help_option_names": ["-h", "--help"],
        "auto_envvar_prefix": PREFIX,
    },
)
@global_options
# BATCHSORA_VERSION is what a container's recipe calls the version that it installs
@click.version_option(__version__, prog_name="batchsora", allow_from_autoenv=False)
def group(*_: Any, **__: Any) -> None:
    """Turn a spreadsheet of prompts into videos: never paid twice, never above the budget.

    \b
    Try it, free:    batchsora run prompts.csv --sandbox
    See the cost:    batchsora plan prompts.csv
    Run it:          batchsora run prompts.csv --budget 6.00
    Resume:          batchsora run
    See the results: batchsora export -o results.csv
    """


def main(arguments: Sequence[str] | None = None, obj: Cli | None = None) -> None:
    """Run the command line and exit with its code (design.md, *Exit codes*)."""
    # httpx brings a command line of its own, with rich and pygments: 100 ms for nothing
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    cli = Cli() if obj is None else obj
    given = sys.argv[1:] if arguments is None else list(arguments)
    with standard_streams() as output:
        code = _run(given, cli)
        if code:
            cli.speak_up()
            failures.explain(code, cli)
        sys.stdout.flush()
        code = failures.with_output(code, None if output is None else output.failure)
        cli.end(code)
    sys.exit(code)


def _run(arguments: list[str], cli: Cli) -> int:
    try:
        code = group.main(args=arguments, prog_name="batchsora", obj=cli, standalone_mode=False)
    except BaseException as error:  # noqa: BLE001 - exceptions become exit codes here alone
        code = failures.exit_of(error)
        cli.expect_json(arguments)
        if code:
            cli.speak_up()
        failures.show(error, cli)
    return code if isinstance(code, int) else 0
