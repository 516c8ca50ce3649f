"""What commands share: one invocation's options, messages for people, and JSON for scripts."""

import shutil
import sys
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final, TextIO

import click
from click.core import ParameterSource

from batchsora.cli.configured import GLOBAL_KEYS
from batchsora.cli.text import Painted, folded, painted, printable_json, wanted
from batchsora.cli.typed import as_typed
from batchsora.option_kinds import options_of, usd
from batchsora.options import GlobalOptions
from batchsora.presentation.terminal_text import clean

if TYPE_CHECKING:
    import re
    from contextlib import AbstractContextManager
    from decimal import Decimal

    from batchsora.composition.session import RunDependencies
    from batchsora.config import Configuration
    from batchsora.settings import Settings
    from jobs.store import Store

GLOBALS: Final = tuple(options_of(GlobalOptions))
WITHOUT_CONFIGURATION: Final = ("init", "doctor", "completion")  # work without a valid file


class Cli:
    """One invocation: the global options as given anywhere on the line, and its two streams."""

    def __init__(self, deps: "RunDependencies | None" = None) -> None:
        self._hooks = deps
        self._options: dict[str, tuple[Any, ParameterSource]] = {}
        self._held_back: list[str] = []
        self.answered = False  # the one JSON document was printed
        self.last_said = ""  # the last message for a person
        self.command = ""  # its name, once it is known
        self.sandbox = False  # the command is about a rehearsal
        self.context: click.Context | None = None  # of the command, also once it has ended
        self.configuration: Configuration | None = None  # once a command has read it
        self.configuration_error: Exception | None = None  # for commands that continue all the same

    def take(self, name: str, value: Any, source: ParameterSource | None) -> None:
        """Remember a global option: a flag over the environment over the file; the later one."""
        source = source or ParameterSource.DEFAULT
        if name not in self._options or source <= self._options[name][1]:
            self._options[name] = (value, source)

    def option(self, name: str) -> Any:
        """Return a global option's value."""
        return self._options.get(name, (None, None))[0]

    def source(self, name: str) -> ParameterSource:
        """Return where a global option comes from."""
        return self._options.get(name, (None, ParameterSource.DEFAULT))[1]

    @property
    def json(self) -> bool:
        """Return whether one JSON document goes to stdout."""
        return bool(self.option("json"))

    def expect_json(self, arguments: Sequence[str]) -> None:
        """Note that JSON is wanted on a line that could not be parsed to its end."""
        if "--json" in takewhile(lambda one: one != "--", arguments):
            self.take("json", True, ParameterSource.COMMANDLINE)

    @property
    def verbose(self) -> bool:
        """Return whether details are wanted."""
        return bool(self.option("verbose"))

    @property
    def quiet(self) -> bool:
        """Return whether only warnings, errors and results are wanted."""
        return bool(self.option("quiet"))

    @property
    def deps(self) -> "RunDependencies":
        """Return time, chance and checkpoints."""
        from dataclasses import replace

        from batchsora.composition.session import RunDependencies

        deps = RunDependencies() if self._hooks is None else self._hooks
        return replace(deps, quiet=True) if self.quiet else deps

    def configure(self, context: click.Context, named: str | None) -> None:
        """Take what a command's line leaves open from the configuration file.

        Raises:
            SettingsError: it can't be used.
        """
        from batchsora.cli.configured import defaults
        from batchsora.config import find_configuration
        from batchsora.settings import SettingsError

        self.take("config", named, context.get_parameter_source("config"))
        root = context.find_root()
        if context is root or not isinstance(root.command, click.Group):
            return  # the command's own context reads it, after --help
        self.command = context.command.name or ""
        try:
            found = find_configuration(self.option("config"), root.command.list_commands(root))
            self.configuration = found
            context.default_map = (
                None if found is None else defaults(found, context.command, context)
            )
        except SettingsError as error:
            if context.command.name not in WITHOUT_CONFIGURATION:
                raise
            self.configuration_error = error

    def settings(self) -> "Settings":
        """Combine flags, environment and configuration, or raise a SettingsError."""
        from batchsora.settings import SettingsError, read_settings

        file = self.configuration
        found = [
            key
            for key, name in GLOBAL_KEYS.items()
            if self.source(name) is ParameterSource.DEFAULT_MAP
        ]
        if file is not None:
            for key in found:
                file.check_found(self.command, key)
        try:
            return read_settings(
                database=self.option("db"),
                base_url=self.option("base_url"),
                token_file=self.option("token_file"),
                sandbox=self.sandbox,
                json=self.json,
                found_address="base-url" in found and file is not None and not file.named,
                configuration=file.path if file is not None and file.named else None,
            )
        except SettingsError as error:
            if file is None or not found:
                raise
            raise SettingsError(f"{error} (in {file.path})") from error

    def store(self) -> "AbstractContextManager[Store]":
        """Open the database, which must be there."""
        from batchsora.composition.databases import existing_store

        return existing_store(self.settings().database)

    def start(self) -> None:
        """Send the log where the options say; raise a SettingsError if that can't be written."""
        from batchsora.cli.logs import configure_logging

        if self.verbose and self.quiet:
            raise click.UsageError("use -v or -q, not both")
        configure_logging(verbose=self.verbose, file=self.option("log_file"))

    def end(self, code: int) -> None:
        """Close the log with the exit code."""
        from batchsora.cli.logs import close_logging

        _note(f"ended with exit code {code}")
        close_logging()

    def say(self, text: str = "") -> None:
        """Write a message to stderr; with ``-q`` only if the command fails."""
        text = as_typed(text, self)
        self.last_said = text or self.last_said
        if self.quiet:
            _note(text)
            self._held_back.append(text)
        else:
            tell(text)

    def show(self, line: str) -> None:
        """Show how to open the page: on stderr, also with ``-q``, and never in the log.

        A line that logs its reader in is shown only if :meth:`shows_to_a_terminal`.
        """
        _write(line)

    @staticmethod
    def shows_to_a_terminal() -> bool:
        """Return whether stderr is a terminal; a file or journal may have other readers."""
        return sys.stderr.isatty()

    def speak_up(self) -> None:
        """Write what ``-q`` held back: it explains why the command failed."""
        for text in self._held_back:
            _write(text)
        self._held_back.clear()

    def result(
        self,
        document: Any,  # for scripts
        text: Callable[[], str],  # makes the text
        colours: "re.Pattern[str] | None" = None,  # where it has any
    ) -> None:
        """Print a command's result on stdout: JSON for scripts, or text for people."""
        shown = printable_json(document) if self.json else text()
        if not self.json and not isinstance(shown, Painted):
            shown = as_typed(shown, self)
        if not shown:
            return
        if not self.json and not isinstance(shown, Painted):
            shown = _fitted(shown, sys.stdout)
            if colours is not None and wanted():
                shown = painted(shown, colours)
        self.answered = self.json
        click.echo(shown)

    def confirm(self, question: str) -> bool:
        """Ask a person yes or no."""
        self.last_said = "the answer was no"
        return click.confirm(clean(question), default=False, err=True)

    def amount(self, question: str) -> "Decimal | None":
        """Ask a person for an amount, as a flag takes it, until it is one; Enter gives none."""
        self.last_said = "no amount was given"

        def parsed(text: str) -> "Decimal | None":
            try:
                return usd(text) if text.strip() else None
            except ValueError as error:
                raise click.BadParameter(str(error)) from None

        found: Decimal | None = click.prompt(
            clean(question), default="", show_default=False, value_proc=parsed, err=True
        )
        return found

    @staticmethod
    def can_ask() -> bool:
        """Return whether a person can answer on a terminal."""
        return sys.stdin.isatty() and sys.stderr.isatty()


def tell(text: str, *, error: bool = False, bug: BaseException | None = None) -> None:
    """Write to stderr, foreign text cleaned and long lines folded; in the log a line stays a line.

    The log shows an error as one, and the traceback of a bug.
    """
    _note(text, error=error or bug is not None, bug=bug)
    _write(text)


def _write(text: str) -> None:
    click.echo(_fitted(text, sys.stderr), err=True)


def _fitted(text: str, stream: TextIO) -> str:
    """Clean foreign text; on a terminal fold it to the width."""
    shown = clean(text)
    return folded(shown, shutil.get_terminal_size().columns) if stream.isatty() else shown


def _note(text: str, *, error: bool = False, bug: BaseException | None = None) -> None:
    """Write a message into the log file as well."""
    import logging

    from batchsora.cli.logs import SAID

    log = logging.getLogger(__name__)
    # before the options were read there is no log, and logging would print by itself
    if text and log.hasHandlers():
        level = logging.ERROR if error else logging.INFO
        log.log(level, "%s", text, exc_info=bug, extra={SAID: True})
