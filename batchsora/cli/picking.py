"""Options that pick batches and jobs, and how the shell completes them from the database.

A person waits for each completion: nothing heavy is imported, and a database that can't be read
completes nothing.
"""

import functools
import re
import sqlite3
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from batchsora.cli.common import GLOBALS, Cli
from jobs.model.states import FailureKind, JobState

F = TypeVar("F", bound=Callable[..., Any])

STATES: Final = [state.value for state in JobState]
KINDS: Final = [kind.value for kind in FailureKind]

MOST: Final = 50
PATIENCE: Final = 0.2  # seconds to wait for a locked database
_SAFE: Final = re.compile(r"[\w.@%+=:/][\w.@%+=:/,#-]*")
"""What the shell can take as it is: nothing that it would execute or split."""

_BATCHES: Final = """
    SELECT name FROM batch
    WHERE removed_at IS NULL AND name >= :low AND name < :high ORDER BY name LIMIT :most
"""
_KEYS: Final = """
    SELECT DISTINCT key FROM job
    WHERE batch_id IN (
        SELECT id FROM batch WHERE removed_at IS NULL AND (:batch IS NULL OR name = :batch)
    ) AND key >= :low AND key < :high ORDER BY key LIMIT :most
"""


def batches(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of a batch."""
    return _found(context, _BATCHES, incomplete)


def jobs(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Complete the key of a job, of ``--batch`` if that is given already."""
    return _found(context, _KEYS, incomplete)


def _found(context: click.Context, query: str, incomplete: str) -> list[str]:
    from batchsora.peek import peek
    from batchsora.settings import SettingsError
    from jobs.database.schema import KNOWN, read_version
    from jobs.model.errors import EngineError

    wanted: dict[str, Any] = {
        "low": incomplete,
        "high": f"{incomplete}\U0010ffff",
        "batch": context.params.get("batch"),
        "most": MOST,
    }
    try:
        database = _asked(context).settings().database
        if not database.is_file():
            return []

        def look(connection: sqlite3.Connection) -> list[tuple[str]]:
            if read_version(connection, database) not in KNOWN:  # what is not ours is not asked
                return []
            return connection.execute(query, wanted).fetchall()

        rows = peek(database, look, PATIENCE)
    except (SettingsError, EngineError, OSError, ValueError, sqlite3.Error):
        return []
    return [str(name) for (name,) in rows if _SAFE.fullmatch(str(name))]


def _asked(context: click.Context) -> Cli:
    """Collect the global options of an unfinished line: its commands did not run."""
    cli = context.ensure_object(Cli)
    cli.sandbox = bool(context.params.get("sandbox"))
    for one in (context.find_root(), context):
        for name in GLOBALS:
            cli.take(name, one.params.get(name), one.get_parameter_source(name))
    return cli


def sandbox_option(function: F) -> F:
    """Add ``--sandbox``, by which :meth:`Cli.settings` is about the rehearsal on this machine."""

    @functools.wraps(function)
    def wrapper(*args: Any, sandbox: bool, **kwargs: Any) -> Any:
        del sandbox  # read from the context
        return function(*args, **kwargs)

    help_text = "The rehearsal of 'run --sandbox', instead of the real runs."
    return click.option("--sandbox", is_flag=True, help=help_text)(wrapper)  # type: ignore[return-value]


batch_option = click.option("--batch", shell_complete=batches, help="Only this batch.")
kind_option = click.option(
    "--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Only failures of this kind."
)
campaign_option = click.option("--campaign", "campaigns", multiple=True, help="Only this campaign.")


def _made_by(_: click.Context, __: click.Parameter, said: tuple[str, ...]) -> tuple[str, ...]:
    """Read names of models, spelled as in a manifest, or of families."""
    if not said:
        return ()
    from batchsora.manifest.errors import CellError, shorten
    from batchsora.manifest.rows.model_columns import model_of
    from batchsora.providers.registry import FAMILIES, kinds_made_by

    found = []
    for text in said:
        name = text.strip().casefold()
        try:
            if name not in FAMILIES:
                name = model_of(text.strip() or "?").name  # an empty cell is the first model
        except CellError as error:
            raise click.BadParameter(f"{shorten(text)!r}: {error}") from error
        found.append(kinds_made_by(name))
    return tuple(found)


model_option = click.option(
    "--model",
    "made_by",
    multiple=True,
    callback=_made_by,
    help="Only of this model, or family of models; repeatable.",
)
search_option = click.option(
    "--search", default="", metavar="WORDS", help="Only with these words in prompt, key or error."
)
jobs_argument = click.argument("job", nargs=-1, shell_complete=jobs)
yes_option = click.option("--yes", is_flag=True, help="Don't ask for confirmation.")
