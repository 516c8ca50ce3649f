"""By which secret this account of this machine knows its own databases."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jobs.seal import KEY_FILE, Sealer


def state_folder(environment: Mapping[str, str]) -> Path:
    """Return where this account keeps what belongs to no database: ``XDG_STATE_HOME``, or its own.

    Raises:
        RuntimeError: the account has no home folder.
    """
    named = environment.get("XDG_STATE_HOME", "")
    base = Path(named) if Path(named).is_absolute() else Path.home() / ".local" / "state"
    return base / "batchsora"


def own_sealer(environment: Mapping[str, str]) -> Sealer:
    """Return this account's sealer, whose secret is made at first use.

    Where it can't be kept, it is the same one for as long as this process lives.
    """
    return _kept(_folder(environment))


def kept_sealer(environment: Mapping[str, str]) -> Sealer | None:
    """Return this account's sealer, without making one."""
    folder = _folder(environment)
    return _kept(folder) if (folder / KEY_FILE).exists() else None


def _folder(environment: Mapping[str, str]) -> Path:
    try:
        return state_folder(environment)
    except RuntimeError:
        return Path("/nonexistent")


@cache
def _kept(folder: Path) -> Sealer:
    return Sealer.kept_in(folder)
