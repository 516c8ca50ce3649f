"""The XML of a package, looked at before any library parses it.

OPC (ECMA-376 part 2) has XML in UTF-8 or UTF-16 and forbids document types; OpenDocument needs
none. Whoever wrote one wants entities: a parser of our own reads up to the first element, so that
no comment and no encoding hides it.
"""

import re
from collections.abc import Iterator
from typing import IO, Final
from xml.parsers import (
    expat,
)  # it declares nothing, resolves nothing, and stops at the first element
from zipfile import ZipFile

from batchsora.workbook.problems import WorkbookError

MOST_BEFORE: Final = 256 * 1024
"""Bytes of a part before its first element: a declaration, and a comment at most."""
MOST_COLUMNS: Final = 16_384
MOST_ROWS: Final = 1_048_576
MOST_SPACES: Final = 32_767
"""What LibreOffice and Excel have: columns, rows, and characters of a cell."""

_BLOCK: Final = 64 * 1024
_SCANNED: Final = 1024**2
_LONGEST_TAG: Final = 64 * 1024
_MARKUP: Final = (b"<", b"\x4c\x6f\xa7\x94")
"""How XML begins, in encodings like ASCII and in EBCDIC."""
_BEFORE: Final = b"\xef\xbb\xbf\xfe\xff\0 \t\r\n"
"""Byte order marks, the other halves of wide characters, and white space."""
_REPEATED: Final = re.compile(
    rb"<(?:[\w.-]+:)?(?:"
    rb"s\b[^<>]*?[\s:]c\s*=\s*[\"'](?P<spaces>\d+)"
    rb"|(?:covered-)?table-cell\b[^<>]*?columns-repeated\s*=\s*[\"'](?P<columns>\d+)"
    rb"|table-row\b[^<>]*?rows-repeated\s*=\s*[\"'](?P<rows>\d+)"
    rb")"
)
_MOST: Final = {"spaces": MOST_SPACES, "columns": MOST_COLUMNS, "rows": MOST_ROWS}


def check_markup(package: ZipFile) -> None:
    """Refuse document types, and with them entities, in whatever part and encoding they stand.

    Raises:
        WorkbookError: a part has one, or is called XML and is none that can be looked at.
    """
    for one in package.infolist():
        with package.open(one) as file:
            head = file.read(_BLOCK)
            named = one.filename.endswith((".xml", ".rels"))
            if head and (named or head.lstrip(_BEFORE).startswith(_MARKUP)):
                _check_beginning(one.filename, head, file)


class _SeenError(Exception):
    """The first element has come."""


def _check_beginning(name: str, block: bytes, file: IO[bytes]) -> None:
    """Read a part up to its first element.

    Raises:
        WorkbookError: a document type comes first, or none comes.
    """

    def doctype(_name: str, _system: object, _public: object, subset: int) -> None:
        # pictures by other programs name theirs, and nobody reads it; entities are another thing
        if subset or not name.endswith(".svg"):
            raise WorkbookError(
                f"the workbook has a document type (in {name!r}), which is not accepted",
                "Save it again as .xlsx.",
            )

    def element(_name: str, _attributes: object) -> None:
        raise _SeenError

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = element
    read = 0
    try:
        while block and read < MOST_BEFORE:
            parser.Parse(block, False)
            read += len(block)
            block = file.read(_BLOCK)
        if not block:
            parser.Parse(b"", True)
    except _SeenError:
        return
    except (expat.ExpatError, LookupError, ValueError) as error:  # the latter of its encoding
        raise WorkbookError(
            f"the workbook's part {name!r} is not XML in UTF-8 or UTF-16: {error}",
            "Open it in your spreadsheet and save it again.",
        ) from error
    raise WorkbookError(
        f"the workbook's part {name!r} has no element in its first {MOST_BEFORE // 1024} KB",
        "Open it in your spreadsheet and save it again.",
    )


def check_repeats(package: ZipFile) -> None:
    """Refuse an OpenDocument sheet that asks for more than a sheet can have by a number alone.

    What hides from this look is held by the bounds of the process that reads it.

    Raises:
        WorkbookError: it does.
    """
    if "content.xml" not in package.namelist():
        return
    with package.open("content.xml") as file:
        for text in _blocks(file):
            for found in _REPEATED.finditer(text):
                what = found.lastgroup or ""
                digits = found[what].lstrip(b"0")
                if len(digits) > len(str(_MOST[what])) or int(digits or b"0") > _MOST[what]:
                    shown = digits[:20].decode()
                    raise WorkbookError(
                        f"the sheet repeats {what} {shown} times; {_MOST[what]} is the most that "
                        "spreadsheets have",
                        "Copy the table alone into a new workbook, or save it as CSV UTF-8.",
                    )


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    """Read a part in blocks; a tag that is cut stands whole in the next one."""
    tail = b""
    while block := file.read(_SCANNED):
        text = tail + block
        yield text
        tail = text[text.rfind(b"<") :] if b"<" in text else b""
        tail = tail if len(tail) <= _LONGEST_TAG else b""
