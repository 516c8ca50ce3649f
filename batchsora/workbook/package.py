"""A workbook's package: a zip of XML parts, hostile until it is checked."""

import posixpath
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final
from xml.parsers import (
    expat,
)  # it declares nothing, resolves nothing, and stops at the first element
from zipfile import BadZipFile, ZipFile

from lxml import etree

from batchsora.workbook import WorkbookError

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
    """Raise WorkbookError if a part has a document type (and so entities), or can't be checked."""
    for one in package.infolist():
        with package.open(one) as file:
            head = file.read(_BLOCK)
            named = one.filename.endswith((".xml", ".rels"))
            if head and (named or head.lstrip(_BEFORE).startswith(_MARKUP)):
                _check_beginning(one.filename, head, file)


class _SeenError(Exception):
    """The first element was reached."""


def _check_beginning(name: str, block: bytes, file: IO[bytes]) -> None:
    """Parse a part up to its first element, before which no document type may come."""

    def doctype(_name: str, _system: object, _public: object, subset: int) -> None:
        # pictures by other programs have one that is never read; entities are not harmless
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
    """Raise WorkbookError if an OpenDocument sheet repeats cells more than a sheet can have.

    What this check misses is held by the bounds of the process that reads it.
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
    """Return a part in blocks; a tag that is cut is repeated whole in the next one."""
    tail = b""
    while block := file.read(_SCANNED):
        text = tail + block
        yield text
        tail = text[text.rfind(b"<") :] if b"<" in text else b""
        tail = tail if len(tail) <= _LONGEST_TAG else b""


LARGEST: Final = 512 * 1024**2
"""Bytes of all parts, unpacked: a sheet of a million rows has some 200 MB."""
MOST_PARTS: Final = 10_000
STEEPEST: Final = 500
"""How many times larger a part may become; text of one letter packs to a thousandth."""
STEEPEST_TREE: Final = 60
"""The same of a part that is held as a tree, which is larger again; sheets pack to a twentieth."""
SMALL: Final = 16 * 1024**2
"""Bytes below which a part may be packed as tightly as it likes."""

_DAMAGED: Final = (BadZipFile, zlib.error, EOFError, KeyError, RuntimeError, NotImplementedError)
"""What :mod:`zipfile` raises while it unpacks; a RuntimeError where a part is encrypted."""
_OLE: Final = b"\xd0\xcf\x11\xe0"
MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LINKS: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE_LINKS: Final = "http://schemas.openxmlformats.org/package/2006/relationships"


def check_package(path: Path) -> None:
    """Check that a file is a package of bounded size, without unpacking it, or raise WorkbookError.

    The size that the zip states for a part limits whoever unpacks it with :mod:`zipfile`.
    """
    with package_of(path):
        pass


@contextmanager
def package_of(path: Path) -> Iterator[ZipFile]:
    """Open and check a package; errors are those of :func:`check_package`.

    Raises:
        WorkbookError, OSError: as :func:`check_package`.
    """
    with path.open("rb") as file:
        if file.read(len(_OLE)) == _OLE:
            raise WorkbookError(
                "the workbook is encrypted, or of an older format than its name says",
                "Save it as .xlsx without a password.",
            )
    try:
        package = ZipFile(path)
    except (BadZipFile, ValueError, NotImplementedError) as error:
        raise WorkbookError(
            "not a workbook", "Open it in your spreadsheet and save it as .xlsx."
        ) from error
    try:
        with package:
            _check_size(package)
            check_markup(package)
            check_repeats(package)
            yield package
    except _DAMAGED as error:
        raise WorkbookError(
            f"the workbook is damaged: {error}", "Open it in your spreadsheet and save it again."
        ) from error


def _check_size(package: ZipFile) -> None:
    parts = package.infolist()
    steep = any(
        part.file_size > SMALL and part.file_size > STEEPEST * max(1, part.compress_size)
        for part in parts
    )
    if steep or len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > LARGEST:
        raise WorkbookError(
            f"the workbook unpacks to more than {LARGEST // 1024**2} MB, or far more than usual",
            "Save the part that you need as CSV UTF-8.",
        )


def parsed(content: bytes) -> etree._Element:
    """Parse a part (no document type, entities, network); raise WorkbookError if it is not XML."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=len(content) > SMALL
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise WorkbookError(
            f"the workbook is damaged: {error}", "Open it in your spreadsheet and save it again."
        ) from error
    return root


def part(package: ZipFile, name: str) -> etree._Element:
    """Parse a part by name; raise WorkbookError if it is not XML, or unpacks to far too much."""
    one = package.getinfo(name)
    if one.file_size > SMALL and one.file_size > STEEPEST_TREE * max(1, one.compress_size):
        raise WorkbookError(
            f"the workbook's part {name!r} unpacks to {one.file_size // 1024**2} MB, far more "
            "than usual for its size",
            "Copy the table alone into a new workbook.",
        )
    return parsed(package.read(name))


def links_of(name: str) -> str:
    """Return the name of the part that holds another one's links."""
    folder, file = posixpath.split(name)
    return posixpath.join(folder, "_rels", f"{file}.rels")


def targets(package: ZipFile, name: str) -> Mapping[str, tuple[str, str]]:
    """Return where a part's links within the package lead: by id, the kind and the part's name."""
    links = links_of(name)
    if links not in package.namelist():
        return {}
    folder = posixpath.dirname(name)
    return {
        link.get("Id", ""): (
            link.get("Type", "").rpartition("/")[2],
            posixpath.normpath(posixpath.join("/", folder, link.get("Target", "")))[1:],
        )
        for link in part(package, links)
        if link.get("TargetMode") != "External"
    }


def workbook_part(package: ZipFile) -> str:
    """Return the name of the package's main part; raise WorkbookError if there is none."""
    for kind, name in targets(package, "").values():
        if kind == "officeDocument":
            return name
    raise WorkbookError("not a workbook", "Open it in your spreadsheet and save it as .xlsx.")


def sheet_part(package: ZipFile, book: str, sheet: str | None) -> str:
    """Return the name of a sheet's part (None: the first); raise WorkbookError if there is none."""
    root = part(package, book)
    if root.tag != f"{{{MAIN}}}workbook":
        raise WorkbookError(
            "unsupported kind of workbook (Strict Open XML)",
            "Save it as an ordinary Excel workbook (.xlsx).",
        )
    where = targets(package, book)
    for one in root.iterfind(f"{{{MAIN}}}sheets/{{{MAIN}}}sheet"):
        kind, name = where.get(one.get(f"{{{LINKS}}}id", ""), ("", ""))
        if kind == "worksheet" and sheet in (None, one.get("name")):
            return name
    raise WorkbookError(f"there is no sheet {sheet!r} in the workbook", "Name it with --sheet.")
