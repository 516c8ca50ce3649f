"""A database that is there, opened for questions alone, by SQLite's own module."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from sqlite3 import Connection, Error

from ..database.account_fields import refuse_wrong_fields
from ..database.owners import refuse_planted_files
from ..database.schema import check_version, open_file
from ..model.errors import unusable
from .lists import Lists


@contextmanager
def existing_lists(database: Path) -> Iterator[Lists]:
    """Open a database that is there and of this version, as :class:`jobs.store.Store` reads it.

    The same checks come before: its version and shape, whose the files beside it are, and the
    account's row.

    Raises:
        jobs.model.errors.EngineError: there is none, it is of another version, or it can't be used.
    """
    check_version(database)
    refuse_planted_files(database)
    with _in_words(database, "opened"):
        connection = open_file(database, "query_only = ON")
    with closing(connection):

        @contextmanager
        def begin() -> Iterator[Connection]:
            with _in_words(database, "read"):
                connection.execute("BEGIN")
                try:
                    yield connection
                finally:
                    if connection.in_transaction:  # an error may have ended it
                        connection.execute("COMMIT")

        with begin() as reading:
            refuse_wrong_fields(reading.execute, database)
        yield Lists(begin)


@contextmanager
def _in_words(database: Path, done: str) -> Iterator[None]:
    try:
        yield
    except Error as error:
        plain = unusable(database, error, done)
        if plain is None:
            raise
        raise plain from error
