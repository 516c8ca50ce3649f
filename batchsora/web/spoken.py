"""What a person said on the page about how a manifest is read, as ``batchsora run`` is told it."""

from dataclasses import dataclass
from typing import Final

from batchsora.manifest.raw import Reading


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

    def reading(self) -> Reading:
        """Return it as readers take it."""
        return Reading(
            sheet=self.sheet,
            columns=dict(self.columns),
            defaults=dict(self.defaults),
            include_hidden=self.include_hidden,
            ignore_pictures=self.ignore_pictures,
            embedded_images=self.embedded_images,
            images=self.images,
            encoding=self.encoding,
            delimiter=self.delimiter,
        )

    def words(self) -> list[str]:
        """Write it as options of a command."""
        words = [] if self.sheet is None else [f"--sheet={self.sheet}"]
        words += [] if self.encoding is None else [f"--encoding={self.encoding}"]
        words += [] if self.delimiter is None else [f"--delimiter={self.delimiter}"]
        words += [] if self.images is None else [f"--images={self.images}"]
        words += [f"--map={header}={name}" for header, name in self.columns]
        words += [f"--default={name}={text}" for name, text in self.defaults]
        for option in ("include_hidden", "ignore_pictures", "embedded_images"):
            said = getattr(self, option)
            if said is not None:
                words.append(f"--{'' if said else 'no-'}{option.replace('_', '-')}")
        return words


NOTHING: Final = Spoken()
"""Nothing was said."""
