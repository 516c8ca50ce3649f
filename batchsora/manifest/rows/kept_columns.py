"""What was said for an earlier load (``--map``, ``--encoding``), where the file has changed."""

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
    """Return the encoding and the separator that were said before, as far as the file has them.

    A file that was saved as UTF-8 since, or with another separator, tells its own.

    Args:
        path: the manifest.
        kept: how it was read; a database may come from anywhere.
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
    """Return what was said before of headers that are not there any more."""
    there = {folded(header) for header in headers}
    return {
        header: name
        for header, name in reading.columns.items()
        if header in reading.kept and folded(header) not in there
    }


def refuse_gone(file: str, row: int | None, reading: Reading, headers: Sequence[str]) -> None:
    """Make sure that no column of ours was lost because its header was renamed.

    A campaign's cap would hold no more, or every row be bought at the default. Where another header
    means the same by now, nothing is lost.

    Args:
        file: the manifest's path, for messages.
        row: where the headers are, or None.
        reading: what was said, now and before.
        headers: as written.

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
