"""What this account keeps outside of any database: its folder, and in it a token for each API."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote


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


def token_path(environment: Mapping[str, str], origin: str) -> Path:
    """Return where ``login`` keeps an API's token if there is no keyring.

    Raises:
        RuntimeError: as :func:`state_folder`.
    """
    scheme, _, host = origin.partition("://")
    return state_folder(environment) / f"token-{scheme}-{quote(host, safe='')}"
