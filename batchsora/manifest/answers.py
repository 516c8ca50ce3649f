"""What the separate processes that read manifests and pictures may answer."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, Strict, StrictStr, TypeAdapter

from batchsora.apart.answers import Packed, Said
from batchsora.manifest.errors import RowProblem
from batchsora.manifest.raw import LARGEST_PART
from batchsora.manifest.values import money

LARGEST_ROW = 10**9
"""Far more than the rows, or lines, of any file that is read."""


def _money(value: object) -> object:
    return money(value) if isinstance(value, str) else value


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Row = Annotated[int, Field(ge=0, le=LARGEST_ROW)]
Money = Annotated[Decimal, BeforeValidator(_money)]
Cells = Annotated[tuple[Annotated[Row, Strict()], list[StrictStr]], Strict(strict=False)]
Filled = Annotated[
    tuple[Annotated[Row, Strict()], list[StrictStr], list[Annotated[Row, Strict()]]],
    Strict(strict=False),
]
"""A row with the places of the cells that defaults filled."""


class _Head(Said):
    headers: list[str]
    header_row: Row | None
    sheet: str | None
    batch: str | None
    budget: Money | None
    campaign_budgets: dict[str, Money]


class _Problem(Said):
    file: str
    row: Row | None
    column: str | None
    found: str | None
    problem: str
    remedy: str
    cell: str | None

    def of(self, file: str) -> RowProblem:
        """Return the problem, with the file named as here."""
        fields = self.model_dump() | {"file": file}
        return RowProblem(**fields)


class Head(Said):
    """The first line of a table."""

    head: _Head


class Faulty(Said):
    """A row that can't be used."""

    problem: _Problem


class Refused(Said):
    """The end of a file that is refused."""

    refused: _Problem


class _Embedded(Said):
    row: Row
    column: Annotated[int, Field(ge=0, le=LARGEST_ROW)]
    part: str | None
    sha256: Sha256 | None
    size: Annotated[int, Field(ge=0, le=LARGEST_PART)]
    problem: str | None
    remedy: str | None


class Looked(Said):
    """The head of a workbook, as far as it can be read."""

    headers: list[str]
    sheet: str | None
    sheets: list[str]
    rows: list[Cells]
    header_row: Row | None


class Told(Said):
    """The end of a table that has more to report than its rows."""

    told: list[_Problem]
    hidden: bool
    embedded: list[_Embedded]


class Part(Said):
    """The bytes of a picture that lies in a workbook."""

    part: str
    data: Packed


class Fitted(Said):
    """A picture's new form."""

    data: Packed
    suffix: Literal[".jpg", ".png"]
    note: str


class Unusable(Said):
    """Why a picture can't be extracted or converted."""

    problem: str
    remedy: str


class Piece(Said):
    """Some bytes of a copy with results."""

    piece: Packed


class Notes(Said):
    """The end of a copy, and what a person should know about it."""

    notes: list[str]


class Unwritable(Said):
    """Why there is no copy."""

    unwritable: str


FIRST: TypeAdapter[Head | Refused] = TypeAdapter(Head | Refused)
ROW: TypeAdapter[
    tuple[int, list[str]] | tuple[int, list[str], list[int]] | Faulty | Refused | Told
] = TypeAdapter(Cells | Filled | Faulty | Refused | Told)
HEAD: TypeAdapter[Looked | Refused] = TypeAdapter(Looked | Refused)
PICTURE: TypeAdapter[Fitted | Unusable] = TypeAdapter(Fitted | Unusable)
COPY: TypeAdapter[Piece | Notes | Unwritable] = TypeAdapter(Piece | Notes | Unwritable)
PART: TypeAdapter[Part | Unusable] = TypeAdapter(Part | Unusable)
