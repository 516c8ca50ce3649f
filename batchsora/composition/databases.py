"""Open databases: for a runner under its lock, or as they are for everyone else."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from batchsora.composition.ownership import SANDBOX_ORIGIN, own_sealer
from batchsora.presentation.errors import upgrading
from batchsora.providers.registry import ANNOUNCED
from batchsora.settings import SettingsError
from jobs.database import schema
from jobs.database.lock import PATIENCE, runner_lock
from jobs.database.owners import refuse_network_drive
from jobs.model.clock import Clock
from jobs.model.files import made_folder, refuse_foreign_folder, refuse_link
from jobs.services.runner import Owner
from jobs.store import Store
from jobs.store.same_file import refuse_second_name

FOLDER: Final = ".batchsora"
"""Beside the database: what can be made again (posters, thumbnails), uploads, logs of runs."""


def side_folder(database: Path) -> Path:
    """Return the folder for what the page keeps; whoever writes there makes it first."""
    return database.absolute().parent / FOLDER


def unlinked_side_folder(database: Path) -> Path:
    """Return the page's folder, existing or not; raise a SettingsError if it is foreign."""
    folder = side_folder(database)
    try:
        refuse_link(folder, "move it away")
        refuse_foreign_folder(folder)
    except OSError as error:
        raise SettingsError(
            f"{folder}, the page's folder for files, can't be used: {error.strerror}"
        ) from error
    return folder


def made_side_folder(database: Path, *inside: str) -> Path:
    """Make the page's folder, or one in it; raise a SettingsError if it fails."""
    folder = side_folder(database)
    try:
        return made_folder(folder, *inside)
    except OSError as error:
        raise SettingsError(
            f"{folder}, the page's folder for files, can't be used: {error.strerror}"
        ) from error


@contextmanager
def working_store(
    database: Path,
    clock: Clock,
    owner: Callable[[], Owner],
    patience: float = PATIENCE,
    *,
    brief: bool = False,
) -> Iterator[Store]:
    """Hold the runner's lock, bring the database up to date, and open it for writing.

    Args:
        owner: of a new one; called if its seal can't be kept.
        patience: seconds to wait for another runner.
        brief: for some jobs alone (:class:`jobs.database.lock.RunnerInfo`).

    Raises:
        jobs.model.errors.EngineError: see :mod:`jobs.database.lock` and
            :mod:`jobs.database.schema`.
    """
    folder = database.absolute().parent
    if not folder.is_dir():
        raise SettingsError(f"there is no folder {folder} for the database; create it, or use --db")
    refuse_network_drive(database)  # before a lock file is made there
    refuse_second_name(database)
    with runner_lock(database, clock.now(), patience, brief=brief):
        new = schema.version(database) is None
        schema.upgrade(
            database,
            lambda at_work: _tell(upgrading(at_work)),
            lambda: own_sealer(os.environ).sealed(None),
        )
        with Store(database) as store:
            store.refuse_wrong_fields()
            if new:
                _know_again(store, owner)
            store.control.begin()
            prices = dict(ANNOUNCED)
            store.control.announce_prices(prices, clock.now())
            yield store


def _know_again(store: Store, owner: Callable[[], Owner]) -> None:
    """Bind a new database to its token if its seal can't be kept, so that the next run knows it."""
    sealer = own_sealer(os.environ)
    if sealer.problem is None:
        return
    whose = owner()
    if whose.origin == SANDBOX_ORIGIN:
        return
    if whose.token:
        store.control.bind(whose.origin, whose.token)
        return
    _tell(
        f"the secret that marks databases as yours can't be stored ({sealer.problem}), and "
        "there is no token to bind this one to: the next run asks whether it is yours (--moved). "
        "XDG_STATE_HOME sets another folder for the secret"
    )


def _tell(text: str) -> None:
    """Write a line to stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


@contextmanager
def scratch_store(store: Store | None) -> Iterator[Store]:
    """Open a temporary copy of a database, or a new one, to try what a run would do.

    Raises:
        jobs.model.errors.DatabaseUnusableError: there is no room for it.
    """
    with tempfile.TemporaryDirectory(prefix="batchsora-") as folder:
        copy = Path(folder) / "copy.db"
        if store is not None:
            store.copy_to(copy)
        with Store(copy) as scratch:
            if store is None:
                scratch.create_tables()
            yield scratch


@contextmanager
def existing_store(database: Path) -> Iterator[Store]:
    """Open an existing database; raise an EngineError if it is of another version."""
    schema.check_version(database)
    with Store(database) as store:
        store.refuse_wrong_fields()
        yield store
