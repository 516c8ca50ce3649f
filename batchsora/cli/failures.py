"""Turns exceptions into messages and exit codes; nothing else does."""

import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from batchsora.cli.common import tell
from batchsora.cli.typed import as_typed
from batchsora.presentation.terminal_text import clean

if TYPE_CHECKING:
    from batchsora.cli.common import Cli

BUG, USAGE, UNREACHABLE, INTERRUPTED = 1, 2, 8, 130
FIRST_PROBLEMS = 50


def exit_of(error: BaseException) -> int:
    """Return the exit code of an exception."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return INTERRUPTED
    if isinstance(error, click.ClickException):
        return USAGE
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else BUG
    code = _exit_of_ours(error)
    return BUG if code is None else code


def _exit_of_ours(error: BaseException) -> int | None:
    from batchsora.composition.exit_codes import exit_of_error, exit_of_read
    from batchsora.manifest.errors import ManifestError
    from batchsora.providers.runblob.errors import RunBlobError
    from batchsora.settings import SettingsError
    from batchsora.tables import TableError
    from batchsora.usecases.load import InvalidRowsError
    from jobs.model.errors import EngineError, unusable
    from jobs.model.provider import ProviderError

    error = unusable(Path("database"), error) or error
    if isinstance(error, EngineError):
        return int(exit_of_error(error))
    if isinstance(error, ManifestError | InvalidRowsError | SettingsError | TableError):
        return USAGE
    if isinstance(error, ProviderError | RunBlobError):
        return int(exit_of_read(error))
    return None


def show(error: BaseException, cli: "Cli") -> None:
    """Write what happened: a message for people, a document for scripts."""
    if isinstance(error, click.exceptions.Exit | SystemExit):
        return
    if isinstance(error, KeyboardInterrupt | click.Abort):
        said = "stopped; nothing is lost: run it again to resume"
        if sys.stderr.isatty():
            click.echo(err=True)  # the terminal is behind a ^C
        tell(said)
        _document(cli, {"problem": said})
        return
    if isinstance(error, click.ClickException):
        error.show()
        _document(cli, {"problem": error.format_message()})
        return
    if _exit_of_ours(error) is None:
        click.echo(clean("".join(traceback.format_exception(error))), err=True)
        tell(
            "That is a bug in batchsora. What was paid for is in the database; run it again to "
            "resume, and please report the lines above.",
            bug=error,
        )
        _document(cli, {"problem": f"a bug: {type(error).__name__}"})
        return
    problems = getattr(error, "problems", None)
    if problems is not None:
        show_problems(problems)
        _document(cli, problems[0].as_json())
        return
    said = _in_words(error, cli)
    tell(f"batchsora: {said}", error=True)
    if _exit_of_ours(error) == UNREACHABLE:
        bought = "" if "nothing was bought" in said.casefold() else "nothing was bought; "
        tell(f"{bought}run it again when the API answers")
    problem = getattr(error, "problem", None)
    _document(cli, {"problem": said} if problem is None else problem.as_json())


def _in_words(error: BaseException, cli: "Cli") -> str:
    """Return the message, also of a database error from before the store was open."""
    from batchsora.presentation.errors import message
    from jobs.model.errors import unusable

    if unusable(Path(), error) is None:
        return as_typed(message(error), cli)
    return as_typed(message(unusable(cli.settings().database, error) or error), cli)


def show_problems(problems: list) -> None:  # type: ignore[type-arg]
    """List what is wrong with a manifest's rows: the first 50 in full."""
    from batchsora.presentation.problems import told

    lines = told(problems)
    for line in lines[:FIRST_PROBLEMS]:
        tell(line)
    more = len(lines) - FIRST_PROBLEMS
    if more > 0:
        tell(f"… and {more} more; 'batchsora plan --json' lists all")
    tell(
        f"{len(problems)} problem(s); nothing was loaded or bought. Fix the rows, or buy "
        "the others with --skip-invalid."
    )


def explain(code: int, cli: "Cli") -> None:
    """Write a document for scripts if a failed command wrote none."""
    _document(cli, {"problem": cli.last_said or f"ended with exit code {code}"})


def with_output(code: int, failure: OSError | None) -> int:
    """Return the exit code when stdout could not be written.

    A reader that has closed it has seen enough; a full disk must not end with 0.
    """
    if failure is None or isinstance(failure, BrokenPipeError):
        return code
    tell(
        f"batchsora: the output can't be written ({failure.strerror}); what the command did is "
        "done all the same",
        error=True,
    )
    return code or USAGE


def _document(cli: "Cli", error: dict) -> None:  # type: ignore[type-arg]
    """Write what went wrong for scripts, unless they have a document; never raises."""
    if cli.json and not cli.answered:
        with suppress(OSError, ValueError):
            cli.result({"error": error}, str)
