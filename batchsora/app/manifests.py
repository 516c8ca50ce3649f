"""Manifests as commands are given them: where they are, and how a person says to read them."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from batchsora.manifest.fitting import Fitter
from batchsora.manifest.raw import PLAIN, Reading
from batchsora.manifest.read import Manifest, open_manifest


@dataclass(frozen=True, slots=True)
class Source:
    """A manifest, and how to read it.

    Attributes:
        path: of the file, or of a folder of pictures.
        reading: what the file does not tell by itself.
        allow_outside: whether images may lie outside the manifest's folder.
        fit_images: make pictures acceptable that are not.
        kept: options that were said before and count again (:mod:`batchsora.app.remembered`).
    """

    path: Path
    reading: Reading = PLAIN
    allow_outside: bool = False
    fit_images: bool = False
    kept: tuple[str, ...] = ()

    def opened(self, fitted: Path) -> Manifest:
        """Open it.

        Args:
            fitted: the folder for pictures that had to be converted.

        Raises:
            ManifestError: it is refused.
        """
        return open_manifest(
            self.path,
            allow_outside=self.allow_outside,
            reading=self.reading,
            fitter=Fitter(fitted) if self.fit_images else None,
        )

    @contextmanager
    def looked_at(self) -> Iterator[Manifest]:
        """Open it to look at it alone: pictures are converted, and forgotten.

        Raises:
            ManifestError: it is refused.
        """
        with tempfile.TemporaryDirectory(prefix="batchsora-") as folder:
            yield self.opened(Path(folder))


def fitted_folder(database: Path) -> Path:
    """Name the folder of pictures that were converted for a database's batches."""
    return database.with_name(f"{database.name}.images")
