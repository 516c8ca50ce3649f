"""Manifests as commands get them: where they are, and how to read them."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from batchsora.manifest.errors import ManifestError, RowProblem
from batchsora.manifest.images.fitting import Fitter
from batchsora.manifest.raw import PLAIN, Reading
from batchsora.manifest.read import Manifest, open_manifest
from batchsora.manifest.rows.kept_columns import refuse_gone
from batchsora.settings import SettingsError
from jobs.model.files import refuse_foreign_folder


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
        if self.sha256 is not None:
            _refuse_other_content(self.path, self.sha256)
        if self.fit_images or self.reading.embedded_images:
            _refuse_foreign(pictures)
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
        """Open it just to look at it: its pictures go into a temporary folder.

        Raises:
            ManifestError: it is refused.
        """
        with tempfile.TemporaryDirectory(prefix="batchsora-") as folder:
            yield self.opened(Path(folder), fitted_folder(database))


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a manifest's content, in hexadecimal.

    Raises:
        ManifestError: it can't be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        reason = f"the file can't be read: {error.strerror}"
        raise ManifestError(RowProblem(path.name, reason, "Choose it again.")) from error


def _refuse_other_content(path: Path, sha256: str) -> None:
    if sha256_of(path) != sha256:
        raise ManifestError(
            RowProblem(
                path.name,
                "the file has changed since you agreed to it; nothing was loaded or bought",
                "Look at its plan again, and start it from there.",
            )
        )


def _refuse_foreign(pictures: Path) -> None:
    try:
        refuse_foreign_folder(pictures)
    except OSError as error:
        raise SettingsError(
            f"{pictures}, where images are kept, can't be used: {error.strerror}"
        ) from error


def fitted_folder(database: Path) -> Path:
    """Return the folder for pictures that were converted or taken from workbooks."""
    return database.with_name(f"{database.name}.images")
