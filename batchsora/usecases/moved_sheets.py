"""A workbook of which another sheet is read than was loaded: a new one was put in front.

Its rows would go into the batch of the old sheet, whose own rows would then be gone.
"""

from dataclasses import dataclass
from shlex import quote

from batchsora.manifest.formats.book_head import book_head
from batchsora.manifest.read import Manifest
from jobs.ports.queries import QueryStore


@dataclass(frozen=True, slots=True)
class Moved:
    """The sheet of a batch, and the one that would go into it.

    Attributes:
        before: the sheet that was loaded; it is still there.
        now: the one that is read.
    """

    batch: str
    before: str
    now: str

    def __str__(self) -> str:
        return (
            f"the batch {self.batch!r} was loaded from the sheet {self.before!r} of this workbook, "
            f"and {self.now!r} is read now; use --sheet {quote(self.before)} to continue with it, "
            f"or --sheet {quote(self.now)} and a new name of a batch for {self.now!r}"
        )


def moved_sheet(seen: QueryStore, manifest: Manifest, name: str | None) -> Moved | None:
    """Find the sheet that was loaded as a manifest's batch, if another one is read now.

    A person who names both the batch and the sheet means it.
    """
    said = manifest.read_as
    now = said.get("sheet")
    if now is None or (name is not None and said.get("sheet_said")):
        return None
    if name is None and seen.find_batch(None, manifest.source) is not None:
        return None
    batch = seen.find_batch(name or manifest.name, manifest.source)
    begin = f"{said['path']}#"
    if batch is None or batch.source is None or not batch.source.startswith(begin):
        return None
    before = batch.source.removeprefix(begin)
    if before == now or before not in book_head(manifest.path).sheets:
        return None
    return Moved(batch.name, before, now)
