"""A folder of pictures as a manifest: one row each, ordered as people count.

It contains only pictures, so the prompt is given separately (``--prompt``).
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from batchsora.manifest.errors import refused
from batchsora.manifest.raw import RawRow, Reading, Settings

PICTURES: Final = frozenset(
    {".jpg", ".jpeg", ".jfif", ".png", ".webp"}
    | {".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif"}  # refused by name, or fitted
)
_DIGITS = re.compile("([0-9]+)")


@dataclass(frozen=True, slots=True)
class FolderTable:
    """A folder as a table; ``names`` are those of its pictures, in order."""

    path: Path
    names: tuple[str, ...]

    headers = ("id", "prompt", "image")
    header_row = None
    sheet = None
    settings = Settings()

    def rows(self) -> Iterator[RawRow]:
        """Return a row for each picture; its name is the row's id."""
        for row, name in enumerate(self.names, 1):
            yield RawRow(row, (name, "", name))


def open_folder(path: Path, reading: Reading) -> FolderTable:
    """List a folder's pictures; raise ManifestError if there are none, or no prompt for them."""
    file = str(path)
    if not reading.defaults.get("prompt"):
        raise refused(
            file,
            "a folder of pictures has no prompts",
            'Add it with --prompt "Animate this". Or name a manifest: .xlsx, .csv or .yaml.',
        )
    try:
        names = [
            entry.name
            for entry in os.scandir(path)
            if not entry.name.startswith(".") and Path(entry.name).suffix.lower() in PICTURES
        ]
    except OSError as error:
        raise refused(
            file, f"the folder can't be read: {error.strerror}", "Check its permissions."
        ) from error
    if not names:
        raise refused(
            file, "there are no pictures in the folder", "Put JPEG, PNG or WEBP files there."
        )
    return FolderTable(path, tuple(sorted(names, key=_counted)))


def _counted(name: str) -> list[tuple[bool, int, str]]:
    """Return a sort key that counts as people do: ``2.png`` comes before ``10.png``."""
    parts = _DIGITS.split(name.casefold())
    return [(part.isdecimal(), int(part[:4000]) if part.isdecimal() else 0, part) for part in parts]
