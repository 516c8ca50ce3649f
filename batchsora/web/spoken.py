"""What a person said on the page about how a manifest is read, as ``batchsora run`` is told it."""

from dataclasses import dataclass, fields
from typing import Final

from batchsora.manifest.raw import Reading
from batchsora.option_kinds import words_of
from batchsora.options import ReadingOptions
from batchsora.usecases.from_options import reading_of


@dataclass(frozen=True, slots=True)
class Spoken:
    """What was said; what was not is as the file tells it, or as it was said before.

    Attributes:
        sheet: of a workbook, by its name.
        columns: headers as written, and the column of ours that each is; ``""``: a person's own.
        defaults: columns of ours, and what their empty cells say; ``""`` takes back what was said.
        include_hidden: read the rows of a sheet that people don't see, too.
        ignore_pictures: take rows as they are where pictures lie over their cells.
        embedded_images: take such pictures as the rows' images.
        images: another folder in which pictures are looked for, by its path.
        encoding: of a text table.
        delimiter: what stands between the cells of one.
    """

    sheet: str | None = None
    columns: tuple[tuple[str, str], ...] = ()
    defaults: tuple[tuple[str, str], ...] = ()
    include_hidden: bool | None = None
    ignore_pictures: bool | None = None
    embedded_images: bool | None = None
    images: str | None = None
    encoding: str | None = None
    delimiter: str | None = None

    @property
    def options(self) -> ReadingOptions:
        """Return it as options of a command."""
        pairs = {"columns": dict(self.columns), "defaults": dict(self.defaults)}
        said = {one.name: getattr(self, one.name) for one in fields(self)}
        return ReadingOptions(**said | pairs)

    def reading(self) -> Reading:
        """Return it as readers take it."""
        return reading_of(self.options)

    def words(self) -> list[str]:
        """Write it as options of a command."""
        return words_of(self.options)


NOTHING: Final = Spoken()
"""Nothing was said."""
