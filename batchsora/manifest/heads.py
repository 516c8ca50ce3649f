"""The sheets and headers of a manifest that may be refused, so that a person can choose."""

from pathlib import Path

from batchsora.manifest.errors import refused
from batchsora.manifest.formats.book_head import Head, book_head
from batchsora.manifest.formats.sheet_reader import EXCEL, OTHERS
from batchsora.manifest.raw import PLAIN, Reading
from batchsora.manifest.read import READERS

__all__ = ["Head", "head_of"]


def head_of(path: Path, reading: Reading = PLAIN) -> Head:
    """Read the head of a manifest, whatever its headers mean.

    An unknown sheet of a workbook is replaced by its first one.

    Raises:
        ManifestError: it can't be read as a table at all.
    """
    suffix = path.suffix.lower()
    if suffix in (*EXCEL, *OTHERS):
        return book_head(path, reading)
    reader = READERS.get(suffix)
    if reader is None:
        raise refused(str(path), "not a manifest", f"Supported: {', '.join(READERS)}.")
    return Head(reader(path, reading).headers)
