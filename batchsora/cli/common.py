"""What commands share: the global options, saying things to people, and JSON for scripts."""

import functools
import json
import os
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from batchsora.app.session import Hooks
    from batchsora.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])


class Cli:
    """One invocation: the global options as given anywhere on the line, and its two streams.

    Args:
        hooks: what tests put in place of time, chance and checkpoints.
    """

    def __init__(self, hooks: "Hooks | None" = None) -> None:
        self._hooks = hooks
        self._options: dict[str, Any] = {}

    def take(self, options: dict[str, Any]) -> None:
        """Remember global options; the later on the line wins."""
        self._options |= {name: value for name, value in options.items() if value}

    @property
    def json(self) -> bool:
        """Say whether one JSON document goes to stdout."""
        return bool(self._options.get("json"))

    @property
    def verbose(self) -> bool:
        """Say whether details are wanted."""
        return bool(self._options.get("verbose"))

    @property
    def hooks(self) -> "Hooks":
        """Give time, chance and checkpoints."""
        from batchsora.app.session import Hooks

        return Hooks() if self._hooks is None else self._hooks

    def settings(self, *, sandbox: bool = False) -> "Settings":
        """Combine flags and environment.

        Raises:
            SettingsError: something in them can't be used.
        """
        from batchsora.settings import read_settings

        return read_settings(
            os.environ,
            database=self._options.get("db"),
            base_url=self._options.get("base_url"),
            token_file=self._options.get("token_file"),
            sandbox=sandbox,
            json=self.json,
        )

    @staticmethod
    def say(text: str = "") -> None:
        """Tell a person something, on stderr."""
        tell(text)

    def result(self, document: Any, text: Callable[[], str]) -> None:
        """Put a command's result on stdout: JSON for scripts, or text for people."""
        if self.json:
            click.echo(printable_json(document))
        else:
            shown = text()
            if shown:
                click.echo(clean(shown))

    @staticmethod
    def confirm(question: str) -> bool:
        """Ask a person yes or no."""
        return click.confirm(clean(question), default=False, err=True)

    @staticmethod
    def can_ask() -> bool:
        """Say whether a person sits at a terminal."""
        return sys.stdin.isatty() and sys.stderr.isatty()


_UNPRINTABLE = ("Cc", "Cf", "Cs")
"""Controls, invisible marks (bidirectional overrides among them) and lone surrogates."""


def clean(text: str) -> str:
    """Take out what could drive or deceive a terminal, but for a line's end and tab."""
    return "".join(
        c if c in "\n\t" or unicodedata.category(c) not in _UNPRINTABLE else "\ufffd" for c in text
    )


def printable_json(document: Any) -> str:
    """Write JSON in which whatever could drive or deceive a terminal is an escape sequence."""
    text = json.dumps(document, ensure_ascii=False, indent=2)
    return "".join(
        c if c == "\n" or unicodedata.category(c) not in _UNPRINTABLE else json.dumps(c)[1:-1]
        for c in text
    )


def tell(text: str) -> None:
    """Write to stderr: foreign text can't drive the terminal, and lines break between words there.

    In a log file a line stays a line.
    """
    shown = clean(text)
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns
        shown = "\n".join(
            textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False)
            for line in shown.split("\n")
        )
    click.echo(shown, err=True)


def global_options(function: F) -> F:
    """Add the options that every command takes, before or after its name."""

    @click.option("--db", metavar="PATH|URL", help="The database (BATCHSORA_DB; batchsora.db).")
    @click.option("--base-url", metavar="URL", help="The API's address (BATCHSORA_BASE_URL).")
    @click.option(
        "--token-file",
        metavar="FILE",
        type=click.Path(dir_okay=False),
        help="Where the token is, if not in RUNBLOB_API_KEY.",
    )
    @click.option("--json", is_flag=True, help="One JSON document on stdout.")
    @click.option("-v", "--verbose", is_flag=True, help="Say more on stderr.")
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        names = ("db", "base_url", "token_file", "json", "verbose")
        cli = click.get_current_context().ensure_object(Cli)
        cli.take({name: kwargs.pop(name) for name in names})
        configure_logging(verbose=cli.verbose)
        return function(*args, **kwargs)

    return wrapper  # type: ignore[return-value]


def configure_logging(*, verbose: bool) -> None:
    """Send the log to stderr: warnings, or everything of ours with ``-v``."""
    import logging

    class Clean(logging.Formatter):
        """Log lines may carry foreign words: none of them drives the terminal."""

        def format(self, record: logging.LogRecord) -> str:
            return clean(super().format(record))

    handler = logging.StreamHandler()
    handler.setFormatter(Clean("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    if verbose:
        for name in ("batchsora", "jobs"):
            logging.getLogger(name).setLevel(logging.INFO)
