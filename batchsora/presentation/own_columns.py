"""The columns of a row that are the person's own: carried along, and shown beside the job."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from batchsora.manifest.errors import ManifestError
from batchsora.manifest.rows.columns import understand


def own_cells(cells: Mapping[str, str], reading: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Return the headers and texts of a row's own columns, in the manifest's order.

    Args:
        cells: the row as written.
        reading: how its batch's manifest was read; ``columns`` has what a person said of headers.
    """
    said = (reading or {}).get("columns")
    pairs = tuple(sorted(said.items())) if isinstance(said, dict) else ()
    own = _own(tuple(cells), pairs)
    return [(header, text) for header, text in cells.items() if header in own and text.strip()]


@lru_cache(maxsize=64)
def _own(headers: tuple[str, ...], said: tuple[tuple[str, str], ...]) -> frozenset[str]:
    there = {header: name for header, name in said if header in headers}
    try:
        found = understand("", headers, None, there)
    except ManifestError:  # single videos have columns without a prompt, and none of their own
        return frozenset()
    read = {*found.known.values()}
    return frozenset(headers[place] for place in found.carried if place not in read)
