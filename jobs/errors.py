"""Errors that a person can act on.

::

    EngineError                 base: its text is meant for a person
    ├── DatabaseVersionError    the database is newer than this program, or too old to read (exit 5)
    ├── DatabaseLockedError     another runner works on this database (exit 5)
    ├── DatabaseOwnerError      the database belongs to another account or API (exit 5)
    ├── DatabaseUnusableError   no database, not ours, read-only, disk full (exit 5)
    ├── DatabaseAlteredError    another program changed what the database is made of (exit 2)
    ├── NotFoundError           no such batch, job or attempt (exit 2)
    ├── NotAllowedError         the command does not fit the state it met (exit 2)
    └── LoadError               a manifest that can't be loaded as it stands (exit 2)

A refused token, missing funds, doubts and failures are no errors: they are how a run ended
(:class:`jobs.runner.Ending`).
"""


class EngineError(Exception):
    """Base of all errors of the engine; the text says what happened and what to do."""


class DatabaseVersionError(EngineError):
    """The database was made by another version of this program."""


class DatabaseLockedError(EngineError):
    """Another runner holds the database."""


class DatabaseOwnerError(EngineError):
    """The database is bound to another account or API."""


class DatabaseUnusableError(EngineError):
    """The database file is missing, damaged, read-only, or not a database of ours."""


class DatabaseAlteredError(EngineError):
    """The database holds triggers, views or definitions that are not ours."""


class NotFoundError(EngineError):
    """There is no such batch, job or attempt."""


class NotAllowedError(EngineError):
    """The command does not fit the state that it met."""


class LoadError(EngineError):
    """A manifest can't be loaded as it stands; nothing was written."""
