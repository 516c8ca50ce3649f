"""What was given for an earlier load (``--map``, ``--encoding``), if the file has changed since."""

import codecs
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from batchsora.manifest.encodings import is_utf_8_after_all, mark_of
from batchsora.manifest.errors import refused
from batchsora.manifest.raw import Reading
from batchsora.manifest.rows.columns import listed, way_to_map
from batchsora.manifest.rows.headers import folded, meaning

_HEAD: Final = 4096
"""Bytes in which a text table shows what separates its cells."""


def still_written_so(path: Path, kept: Mapping[str, Any]) -> dict[str, str]:
    """Return the encoding and the separator given before, if the file still has them.

    A file saved as UTF-8 since, or with another separator, shows its own. ``kept`` is how it was
    read; a database may come from anywhere.
    """
    encoding, delimiter = kept.get("encoding"), kept.get("delimiter")
    found: dict[str, str] = {}
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
        if isinstance(encoding, str) and not mark_of(path):
            "".encode(encoding)  # one that is no encoding of texts is none
            if codecs.lookup(encoding).name == "utf-8" or not is_utf_8_after_all(path, encoding):
                found["encoding"] = encoding
        if isinstance(delimiter, str) and len(delimiter) == 1 and delimiter.encode() in head:
            found["delimiter"] = delimiter
    except (OSError, LookupError, ValueError):
        return found
    return found


def gone(reading: Reading, headers: Sequence[str]) -> Mapping[str, str]:
    """Return what was given before for headers that no longer exist."""
    there = {folded(header) for header in headers}
    return {
        header: name
        for header, name in reading.columns.items()
        if header in reading.kept and folded(header) not in there
    }


def refuse_gone(file: str, row: int | None, reading: Reading, headers: Sequence[str]) -> None:
    """Check that no column of ours was lost because its header was renamed.

    A campaign's cap would no longer hold, or every row would be bought with the default. Nothing is
    lost if another header means the same now.

    Raises:
        ManifestError: a header that meant one of our columns is gone, and none means it now.
    """
    said = {folded(header): name for header, name in reading.columns.items()}
    present = {said.get(folded(header), meaning(header)) for header in headers}
    for header, name in gone(reading, headers).items():
        if name and name not in present:
            raise refused(
                file,
                f"there is no column {header!r} any more, which you mapped before to {name!r}",
                f"There are: {listed(headers)}. Map the new one with "
                f"{way_to_map('Your name', name)}, rename it back to {header!r}, or use "
                f"{way_to_map(header, '')} if it is none of them.",
                row=row,
            )
