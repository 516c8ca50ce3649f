"""The secret by which this account of this machine recognises its own databases."""

import secrets
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jobs.database.seal import KEY_FILE, Sealer


def state_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder for what belongs to no database, in ``XDG_STATE_HOME`` or the home.

    Raises:
        RuntimeError: the account has no home folder, or a relative one: whoever sent the folder in
            which a command is started would choose what is kept.
    """
    named = Path(environment.get("XDG_STATE_HOME", ""))
    if named.is_absolute():
        return named / "batchsora"
    home = Path.home()
    if not home.is_absolute():
        raise RuntimeError(f"HOME is {str(home)!r}, which is not an absolute path")
    return home / ".local" / "state" / "batchsora"


def own_sealer(environment: Mapping[str, str]) -> Sealer:
    """Return this account's sealer; its secret is made at first use.

    If it can't be kept, it is the same one for as long as this process lives.
    """
    try:
        return _kept(state_folder(environment))
    except RuntimeError as error:
        return _unkept(str(error))


def kept_sealer(environment: Mapping[str, str]) -> Sealer | None:
    """Return this account's sealer, if its secret is already kept."""
    try:
        folder = state_folder(environment)
        if not (folder / KEY_FILE).exists():
            return None
    except PermissionError:
        return _kept(folder)  # which says what is wrong
    except RuntimeError as error:
        return _unkept(str(error))
    return _kept(folder)


@cache
def _kept(folder: Path) -> Sealer:
    return Sealer.kept_in(folder)


@cache
def _unkept(problem: str) -> Sealer:
    return Sealer(secrets.token_bytes(32), problem)
