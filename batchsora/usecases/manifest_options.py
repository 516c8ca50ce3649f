"""Manifests as commands get them: where they are, and how to read them."""

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from batchsora.manifest.errors import ManifestError, RowProblem
from batchsora.manifest.images.fitting import Fitter
from batchsora.manifest.raw import PLAIN, Reading
from batchsora.manifest.read import Manifest, open_manifest
from batchsora.manifest.rows.columns import refuse_gone
from batchsora.presentation.terminal_text import clean
from batchsora.settings import SettingsError
from jobs.model.files import refuse_foreign_folder

LONGEST: Final = 40
"""Characters of a header that are shown."""
MOST: Final = 12
"""Other columns that are named before the rest is counted."""


@dataclass(frozen=True, slots=True)
class Source:
    """A manifest, and how to read it.

    Attributes:
        path: of the file, or of a folder of pictures.
        reading: what the file does not say itself.
        allow_outside: accept images outside the manifest's folder.
        fit_images: convert pictures that would be refused; None: not said, like False.
        kept: saved options that count again (:mod:`batchsora.usecases.kept_reading`).
        sha256: of the only content that is accepted, in hexadecimal; None: any.
    """

    path: Path
    reading: Reading = PLAIN
    allow_outside: bool = False
    fit_images: bool | None = None
    kept: tuple[str, ...] = ()
    sha256: str | None = None

    def opened(self, pictures: Path, *others: Path) -> Manifest:
        """Open it.

        Args:
            pictures: the folder for converted pictures, and those of a workbook.
            others: folders in which those of workbooks are looked for as well.

        Raises:
            ManifestError: it is refused, or a header of a saved option is gone.
            SettingsError: somebody else may have put pictures into the folder.
        """
        if self.sha256 is not None and sha256_of(self.path) != self.sha256:
            raise ManifestError(
                RowProblem(
                    self.path.name,
                    "the file has changed since you agreed to it; nothing was loaded or bought",
                    "Look at its plan again, and start it from there.",
                )
            )
        if self.fit_images or self.reading.embedded_images:
            try:
                refuse_foreign_folder(pictures)
            except OSError as error:
                raise SettingsError(
                    f"{pictures}, where images are kept, can't be used: {error.strerror}"
                ) from error
        manifest = open_manifest(
            self.path,
            allow_outside=self.allow_outside,
            reading=self.reading,
            fitter=Fitter(pictures) if self.fit_images else None,
            kept=(pictures, *others),
        )
        refuse_gone(str(self.path), manifest.header_row, self.reading, manifest.headers)
        return manifest

    @contextmanager
    def looked_at(self, database: Path) -> Iterator[Manifest]:
        """Open it just to look at it, with a temporary folder for its pictures.

        Raises:
            ManifestError: it is refused.
        """
        with tempfile.TemporaryDirectory(prefix="batchsora-") as folder:
            yield self.opened(Path(folder), fitted_folder(database))


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a manifest in hexadecimal, or raise a ManifestError."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        reason = f"the file can't be read: {error.strerror}"
        raise ManifestError(RowProblem(path.name, reason, "Choose it again.")) from error


def fitted_folder(database: Path) -> Path:
    """Return the folder for pictures that were converted or taken from workbooks."""
    return database.with_name(f"{database.name}.images")


@dataclass(frozen=True, slots=True)
class Mapped:
    """The meaning of columns.

    Attributes:
        ours: each of our columns in the manifest, with its header as written.
        carried: headers of columns that are carried along unread.
        defaults: values for empty cells, by our column.
    """

    ours: Sequence[tuple[str, str]] = ()
    carried: Sequence[str] = ()
    defaults: Sequence[tuple[str, str]] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the fields ``columns``, ``carried`` and ``defaults`` of ``plan --json``."""
        return {
            "columns": dict(self.ours),
            "carried": list(self.carried),
            "defaults": dict(self.defaults),
        }

    def __str__(self) -> str:
        defaults = dict(self.defaults)
        parts = []
        for name, header in self.ours:
            shown = _short(header)
            part = name if shown == name else f"{name} \N{LEFTWARDS ARROW} {shown}"
            if name in defaults:
                part += f" (else {_short(defaults[name])})"
            parts.append(part)
        if self.carried:
            more = len(self.carried) - MOST
            named = ", ".join(map(_short, self.carried[:MOST]))
            parts.append(f"carried along: {named}{f' and {more} more' if more > 0 else ''}")
        return " \N{MIDDLE DOT} ".join(parts)


def mapped(manifest: Manifest) -> Mapped:
    """Return the meaning of a manifest's columns, in their order."""
    ours, carried = manifest.taken_for
    return Mapped(ours, carried, tuple(manifest.defaults.items()))


def _short(text: str) -> str:
    line = clean(" ".join(text.split()))
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
