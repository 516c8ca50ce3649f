"""The records of .xls (MS-XLS, BIFF5 and BIFF8), in their container of sectors (MS-CFB)."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from struct import Struct, error, unpack_from
from typing import Final, NamedTuple

from batchsora.manifest.books import shown
from batchsora.manifest.books.model import Area, Marks, Picture
from batchsora.manifest.errors import UNCALCULATED
from batchsora.manifest.values import UNCALCULATED as NO_RESULT
from batchsora.workbook import WorkbookError

_MAGIC: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HEADER: Final = 512
_ENTRY: Final = 128
_LAST_SECTOR: Final = 0xFFFFFFFA
"""Numbers from here on name no sector."""
_STREAM, _ROOT = 2, 5
_SUMMARY: Final = "\x05SummaryInformation"

_BOF, _EOF, _SHEET, _PASSWORD, _RECALCULATED = 0x0809, 0x000A, 0x0085, 0x002F, 0x01C1
_WRITTEN_BY: Final = 0x005C
_LIBREOFFICE: Final = b"\x04\x00\x00Calc "
"""What LibreOffice writes where Excel writes the name of its user."""
_ROW, _COLUMNS, _MERGED, _ERROR = 0x0208, 0x007D, 0x00E5, 0x0205
_DATES: Final = 0x0022
_FORMAT, _STYLE, _NUMBER, _SMALL, _SMALLS = 0x041E, 0x00E0, 0x0203, 0x027E, 0x00BD
_FORMULAS: Final = (0x0006, 0x0206, 0x0406)
_DRAWING, _OBJECT = 0x00EC, 0x005D
_RECORD: Final = Struct("<HH")
_ANCHOR: Final = b"\x10\xf0\x12\x00\x00\x00"
"""How the place of a drawn object begins (MS-ODRAW ClientAnchor)."""
_PICTURE: Final = 8
_HIDDEN_ROW: Final = 0x20
_OWN_HEIGHT: Final = 0x40
_HEIGHT: Final = 0x7FFF
_NO_NUMBER: Final = 0xFFFF
_FAILED, _EMPTY = 2, 3
_ALWAYS: Final = 1


class Xls:
    """The records of a workbook; raises WorkbookError if it is damaged."""

    def __init__(self, path: Path) -> None:
        streams = _streams(path.read_bytes())
        self._stream = streams.get("workbook") or streams.get("book") or _Stream(b"", [], 1)
        self._book = self._stream.data
        self._styles: list[int] = []
        self._from_1904 = False
        self._starts: list[int] = []
        recalculated = libreoffice = False
        own: dict[int, str] = {}
        styles: list[int] = []
        wide = "workbook" in streams
        for kind, start, size in self._records(0):
            if kind == _SHEET and size >= 4:  # noqa: PLR2004 - the length of what is read
                self._starts.append(unpack_from("<I", self._book, start)[0])
            elif kind == _FORMAT and size >= 5:  # noqa: PLR2004
                own[unpack_from("<H", self._book, start)[0]] = self._form(start, size, wide=wide)
            elif kind == _STYLE and size >= 4:  # noqa: PLR2004
                styles.append(unpack_from("<H", self._book, start + 2)[0])
                self._styles.append(start + 2)
            elif kind == _DATES and size >= 2:  # noqa: PLR2004
                self._from_1904 = bool(self._book[start] & 1)
            elif kind == _PASSWORD:
                break
            elif kind == _WRITTEN_BY:
                libreoffice = self._book[start : start + len(_LIBREOFFICE)] == _LIBREOFFICE
            recalculated |= kind == _RECALCULATED
        self._forms = [shown.form_of(number, own) for number in styles]
        # LibreOffice stores 0 for the texts of an .ods, other programs for every formula
        self._zeros = recalculated and not libreoffice
        self._wide = wide
        # a program that knows no formulas stores an empty text for each (xlwt does)
        self._calculated = recalculated or _SUMMARY.lower() in streams

    def _form(self, start: int, size: int, *, wide: bool) -> str:
        """Return the text of a number format, which has bytes or pairs of them."""
        data = self._book[start : start + size]
        if not wide:
            return data[3 : 3 + data[2]].decode("latin-1")
        length = unpack_from("<H", data, 2)[0]
        if data[4] & 1:
            return data[5 : 5 + 2 * length].decode("utf-16-le", "replace")
        return data[5 : 5 + length].decode("latin-1")

    def without_forms(self, data: bytes) -> tuple[bytes, bool]:
        """Return the bytes of the file without formats, and whether its days begin in 1904."""
        changed = bytearray(data)
        for place in self._styles:
            for at in (place, place + 1):
                changed[self._stream.starts[at // self._stream.size] + at % self._stream.size] = 0
        return bytes(changed), self._from_1904

    def marks(self, index: int) -> Marks:
        """Read what is known about the cells of a sheet, by its index with charts."""
        found = Marks()
        anchor: tuple[int, int] | None = None
        if index >= len(self._starts):
            return found
        for kind, start, size in self._records(self._starts[index]):
            data = self._book[start : start + size]
            if kind == _DRAWING:
                anchor = _anchor(data) or anchor
            elif kind == _OBJECT and size >= 6 and anchor is not None:  # noqa: PLR2004 - as above
                if unpack_from("<H", data, 4)[0] == _PICTURE:
                    found.pictures.append(Picture(*anchor, None))
            else:
                self._mark(found, kind, data)
                self._mark_forms(found, kind, data)
        return found

    def _mark_forms(self, found: Marks, kind: int, data: bytes) -> None:
        if kind not in (_NUMBER, _SMALL, _SMALLS, *_FORMULAS) or len(data) < 6:  # noqa: PLR2004
            return
        row, column = unpack_from("<HH", data)
        last = len(data) - 2 if kind == _SMALLS else 5
        for place in range(4, last, 6):
            style = unpack_from("<H", data, place)[0]
            if style < len(self._forms) and (form := self._forms[style]):
                found.forms[row + 1][column] = form
            column += 1

    def _mark(self, found: Marks, kind: int, data: bytes) -> None:
        """Note the facts of a record; one that is too short has none."""
        if kind == _ROW and len(data) >= 14:  # noqa: PLR2004 - the length of what is read
            flat = data[12] & _OWN_HEIGHT and not unpack_from("<H", data, 6)[0] & _HEIGHT
            if data[12] & _HIDDEN_ROW or flat:
                found.hidden_rows.add(unpack_from("<H", data)[0] + 1)
        elif kind == _COLUMNS and len(data) >= 10:  # noqa: PLR2004
            first, last, _, _, flags = unpack_from("<5H", data)
            if flags & 1:
                found.hidden_columns.append((first, last))
        elif kind == _ERROR and len(data) >= 8:  # noqa: PLR2004
            if data[7]:
                row, column = unpack_from("<HH", data)
                found.failed(row + 1, column, data[6])
        elif kind in _FORMULAS and len(data) >= 16:  # noqa: PLR2004
            self._mark_formula(found, data)
        elif kind == _MERGED and len(data) >= 2:  # noqa: PLR2004
            count = min(unpack_from("<H", data)[0], (len(data) - 2) // 8)
            for place in range(count):
                top, bottom, left, right = unpack_from("<4H", data, 2 + 8 * place)
                found.merges.append(Area(top + 1, left, bottom + 1, right))

    def _mark_formula(self, found: Marks, data: bytes) -> None:
        row, column = unpack_from("<HH", data)
        flags = unpack_from("<H", data, 14)[0]
        if unpack_from("<H", data, 12)[0] != _NO_NUMBER:
            if not unpack_from("<d", data, 6)[0] and self._is_doubtful(flags, data):
                found.faults[row + 1][column] = NO_RESULT, UNCALCULATED
        elif data[6] == _FAILED:
            found.failed(row + 1, column, data[8])
        elif data[6] == _EMPTY and not self._calculated:
            found.faults[row + 1][column] = NO_RESULT, UNCALCULATED

    def _is_doubtful(self, flags: int, data: bytes) -> bool:
        """Return whether a formula whose result is 0 may not have been calculated."""
        if flags & _ALWAYS:
            return True
        number = gives_number(data) if self._wide else True
        return not number if number is not None else not self._zeros

    def _records(self, start: int) -> Iterator[tuple[int, int, int]]:
        """Return the kind, start and size of a part's records, without those of charts in it."""
        depth = 0
        while start + _RECORD.size <= len(self._book):
            kind, size = _RECORD.unpack_from(self._book, start)
            start += _RECORD.size
            if kind == _BOF:
                depth += 1
            elif kind == _EOF:
                depth -= 1
                if depth <= 0:
                    return
            elif depth == 1:
                yield kind, start, size
            start += size


def _anchor(data: bytes) -> tuple[int, int] | None:
    """Return the row, from 1, and the column of the last place in a drawing."""
    place = data.rfind(_ANCHOR)
    if place < 0 or place + 14 > len(data):
        return None
    column, _, row = unpack_from("<3H", data, place + 8)
    return row + 1, column


class _Stream(NamedTuple):
    """A file in a container: its bytes, where each sector starts in it, and bytes of a sector."""

    data: bytes
    starts: list[int]
    size: int


def _streams(data: bytes) -> dict[str, _Stream]:
    """Return the streams of a container by their names in small letters."""
    if data[:8] != _MAGIC or len(data) < _HEADER:
        raise _damaged()
    shift, mini_shift = unpack_from("<HH", data, 30)
    if not 7 <= shift <= 16 or not 4 <= mini_shift <= shift:  # noqa: PLR2004 - 128 B to 64 KB
        raise _damaged()
    first_directory = unpack_from("<I", data, 48)[0]
    cutoff, first_mini = unpack_from("<II", data, 56)
    file = _Sectors(data, 1 << shift, 1 << shift, _table(data, 1 << shift))
    directory = file.chain(first_directory)
    entries = [directory[at : at + _ENTRY] for at in range(0, len(directory) - _ENTRY + 1, _ENTRY)]
    root = next((entry for entry in entries if entry[66] == _ROOT), None)
    small: _Sectors | None = None
    around: list[int] = []
    if root is not None:
        numbers = file.chain(first_mini)
        links = list(unpack_from(f"<{len(numbers) // 4}I", numbers))
        first = unpack_from("<I", root, 116)[0]
        around = file.starts(first)
        small = _Sectors(file.chain(first), 1 << mini_shift, 0, links)
    found: dict[str, _Stream] = {}
    for entry in entries:
        if entry[66] == _STREAM:
            length = max(0, min(64, unpack_from("<H", entry, 64)[0]) - 2)
            name = entry[:length].decode("utf-16-le", "replace").lower()
            first, size = unpack_from("<II", entry, 116)
            sectors = small if size < cutoff and small is not None else file
            if name not in ("workbook", "book"):
                found.setdefault(name, _Stream(b"", [], 1))
            elif name not in found:
                starts = sectors.starts(first)
                if sectors is not file:
                    starts = [around[at >> shift] + at % (1 << shift) for at in starts]
                found[name] = _Stream(sectors.chain(first)[:size], starts, sectors.size)
    return found


class _Sectors(NamedTuple):
    """Sectors that are chained to streams; ``links`` has the next of each, ``offset`` the first."""

    data: bytes
    size: int
    offset: int
    links: list[int]

    def chain(self, first: int) -> bytes:
        return b"".join(self.data[start : start + self.size] for start in self.starts(first))

    def starts(self, first: int) -> list[int]:
        """Return where the sectors of a stream begin; a circular chain is damage."""
        found: list[int] = []
        sector = first
        while sector < _LAST_SECTOR:
            if sector >= len(self.links) or len(found) > len(self.links):
                raise _damaged()
            found.append(self.offset + sector * self.size)
            sector = self.links[sector]
        return found


def _table(data: bytes, size: int) -> list[int]:
    numbers = list(unpack_from("<109I", data, 76))
    following, count = unpack_from("<II", data, 68)
    for _ in range(min(count, len(data) // size)):
        if following >= _LAST_SECTOR or size * (following + 2) > len(data):
            break
        more = unpack_from(f"<{size // 4}I", data, size * (following + 1))
        numbers += more[:-1]
        following = more[-1]
    links: list[int] = []
    for number in numbers:
        start = size * (number + 1)
        if number < _LAST_SECTOR and start < len(data):
            block = data[start : start + size]
            links += unpack_from(f"<{len(block) // 4}I", block)
    return links


def _damaged() -> WorkbookError:
    return WorkbookError(
        "the workbook is damaged: its container is invalid",
        "Open it in your spreadsheet and save it again as .xlsx.",
    )


_TOKENS: Final = 22
"""Where the tokens of a formula's record begin, behind their size."""
_STRING, _ATTRIBUTE, _FUNCTION, _FUNCTION_OF_SOME, _PARENTHESIS = 0x17, 0x19, 0x21, 0x22, 0x15
_CHOOSE, _SUM, _WIDE = 0x04, 0x10, 0x01
_CLASSES: Final = 0x20
"""From here on a token has two bits that don't depend on its kind."""
_SIZES: Final[Mapping[int, int]] = dict.fromkeys(range(0x03, 0x17), 0) | {
    0x01: 4, 0x02: 4, 0x1C: 1, 0x1D: 1, 0x1E: 2, 0x1F: 8,
    0x20: 7, 0x21: 2, 0x22: 3, 0x23: 4, 0x24: 4, 0x25: 8, 0x26: 6, 0x27: 6, 0x28: 6, 0x29: 2,
    0x2A: 4, 0x2B: 8, 0x2C: 4, 0x2D: 8, 0x39: 6, 0x3A: 6, 0x3B: 10, 0x3C: 6, 0x3D: 10,
}  # fmt: skip
"""Bytes of each token behind its first."""
_CONCATENATION: Final = 0x08
_NUMBERS: Final = frozenset([*range(0x03, 0x08), *range(0x09, 0x0F), 0x13, 0x14, 0x1D, 0x1E, 0x1F])
"""Sums and their like, comparisons, signs, constants."""
_OF_TEXTS: Final = frozenset(
    [13, 14, 30, 31, 48, 111, 112, 113, 114, 115, 116, 118, 119, 120, 130, 162, 336]
)
"""Functions that give texts: MID, TEXT, LOWER, LEFT, TRIM, SUBSTITUTE, CONCATENATE …"""
_OF_NUMBERS: Final = frozenset(
    [
        *range(4, 10), *range(15, 28), *range(36, 40), *range(65, 75),
        0, 32, 33, 63, 64, 76, 77, 82, 124, 169, 183, 197, 212, 213, 221, 228, 344, 345, 346, 347,
    ]
)  # fmt: skip
"""Functions that give numbers: SUM, AVERAGE, ROUND, LEN, DATE, COUNT, MATCH, SUMIF …"""


def gives_number(record: bytes) -> bool | None:
    """Return whether a formula's record has a number as result; False: a text, None: unknown."""
    try:
        return _last_gives_number(record)
    except (IndexError, error):
        return None


def _last_gives_number(record: bytes) -> bool | None:
    number: bool | None = None
    at = _TOKENS
    end = at + unpack_from("<H", record, at - 2)[0]
    while at < end:
        token = record[at]
        if token >= _CLASSES:
            token = token & 0x1F | _CLASSES
        at += 1
        if token == _STRING:
            at += 2 + record[at] * (2 if record[at + 1] & _WIDE else 1)
            number = False
        elif token == _ATTRIBUTE:
            flags, count = record[at], unpack_from("<H", record, at + 1)[0]
            at += 3 + (2 * (count + 1) if flags & _CHOOSE else 0)
            number = True if flags & _SUM else number
        elif token in _SIZES:
            number = number if token == _PARENTHESIS else _kind(token, record, at)
            at += _SIZES[token]
        else:
            return None
    return number


def _kind(token: int, record: bytes, at: int) -> bool | None:
    """Return the same for one token."""
    if token in (_FUNCTION, _FUNCTION_OF_SOME):
        function = unpack_from("<H", record, at + (token == _FUNCTION_OF_SOME))[0]
        return True if function in _OF_NUMBERS else False if function in _OF_TEXTS else None
    return True if token in _NUMBERS else False if token == _CONCATENATION else None
