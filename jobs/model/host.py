"""Which machine this is: a copied database must not be worked on by two at once."""

import hashlib
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

VARIABLE: Final = "BATCHSORA_HOST"
"""Names the machine where it can't be known, as in a container that is made new for each run."""

MACHINE_ID: Final = Path("/etc/machine-id")
_ID: Final = re.compile(r"\(([0-9a-f]{8})\)$")


def this_host(environment: Mapping[str, str], machine_id: Path = MACHINE_ID) -> str:
    """Name this machine as ``NAME (id8)``; only the id, a hash, says whether it is the same."""
    name = identity = environment.get(VARIABLE, "").strip()
    if not identity:
        name = socket.gethostname()
        identity = _read(machine_id) or name
    return f"{name} ({hashlib.sha256(identity.encode()).hexdigest()[:8]})"


def is_same_host(one: str, other: str) -> bool:
    """Return whether two names are of one machine, which may have been renamed between them."""
    found = _ID.search(one), _ID.search(other)
    if found[0] is None or found[1] is None:
        return one == other
    return found[0][1] == found[1][1]


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
