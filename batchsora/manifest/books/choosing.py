"""Which reader a file needs, by its content: its name may be wrong."""

from pathlib import Path
from typing import Final
from zipfile import BadZipFile, ZipFile

from batchsora.manifest.books.model import Book
from batchsora.manifest.errors import ManifestError, refused

EXCEL: Final = (".xlsx", ".xlsm", ".xltx", ".xltm")
OTHERS: Final = (".ods", ".xls", ".xlsb")

_XLSX, _XLSB = "an Excel workbook", "a binary workbook"
_ODS, _XLS = "an OpenDocument sheet", "a workbook of Excel 97"
_SUFFIXES: Final = {_XLSX: EXCEL, _XLSB: (".xlsb",), _ODS: (".ods",), _XLS: (".xls",)}
_HEAD: Final = 4096
_OLE: Final = b"\xd0\xcf\x11\xe0"
_ENCRYPTED: Final = "EncryptedPackage".encode("utf-16-le")
_BEGINNINGS: Final = (
    ((b"<html", b"<!doctype html", b"<table", b"<meta", b"<head", b"<style"), "an HTML page"),
    ((b"%pdf",), "a PDF"),
    ((b"<", b"{", b"["), "another kind of text"),
)
_MOST_DIRECTORY: Final = 16 * 1024**2
_SAVE: Final = "Open it in your spreadsheet and save it as .xlsx."
_UNUSABLE: Final = {
    "encrypted": (
        "the workbook is encrypted and needs a password",
        "Save it as .xlsx without a password.",
    ),
    "damaged": (
        "the workbook is damaged: it is truncated",
        f"Copy it here again, or: {_SAVE}",
    ),
    "empty": ("the file is empty", _SAVE),
    "no workbook": ("not a workbook", _SAVE),
}


def book_of(path: Path) -> Book:
    """Open a workbook; raise ManifestError if it isn't one, or not the kind that its name says."""
    suffix = path.suffix.lower()
    kind = _kind(path)
    if suffix not in _SUFFIXES.get(kind, ()):
        raise _otherwise(path, kind)
    if kind == _XLSX:
        from batchsora.manifest.books.xlsx import Xlsx  # noqa: PLC0415 - lxml

        return Xlsx(path)
    if kind == _ODS:
        from batchsora.manifest.books.ods import Ods  # noqa: PLC0415 - lxml

        return Ods(path)
    from batchsora.manifest.books.old import Old  # noqa: PLC0415 - an extra

    return Old(path)


def _kind(path: Path) -> str:
    """Return what a file is by its content, in words."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
        if head.startswith(_OLE):
            return "encrypted" if _ENCRYPTED in head + file.read(_MOST_DIRECTORY) else _XLS
    if head.startswith(b"PK"):
        return _zipped(path)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    found = next((kind for begins, kind in _BEGINNINGS if text.startswith(begins)), None)
    if b"urn:schemas-microsoft-com:office:spreadsheet" in text:
        found = "an XML sheet of Excel 2003"
    if found is None:
        readable = b"\0" not in head or head.startswith((b"\xff\xfe", b"\xfe\xff"))
        found = "a text table (CSV)" if readable else "no workbook"
    return found if head.strip(b"\0 \r\n\t") else "empty"


def _zipped(path: Path) -> str:
    try:
        with ZipFile(path) as package:
            names = {name.lower().replace("\\", "/") for name in package.namelist()}
            if "META-INF/manifest.xml" in package.namelist():
                with package.open("META-INF/manifest.xml") as file:
                    if b"encryption-data" in file.read(_MOST_DIRECTORY):
                        return "encrypted"
    except (BadZipFile, ValueError, NotImplementedError):
        return "damaged"
    if "content.xml" in names:
        return _ODS
    if any(name.endswith("/workbook.bin") for name in names):
        return _XLSB
    if "index/document.iwa" in names or any(name.endswith(".iwa") for name in names):
        return "a Numbers document"
    # a part of any name may be the workbook; its links say which
    return _XLSX if "[content_types].xml" in names else "no workbook"


def _otherwise(path: Path, kind: str) -> ManifestError:
    """Return the error of a file whose content does not fit its name."""
    if kind in _UNUSABLE:
        return refused(str(path), *_UNUSABLE[kind])
    suffixes = _SUFFIXES.get(kind) or ((".csv",) if "CSV" in kind else ())
    rename = f"Rename it to {path.with_suffix(suffixes[0]).name!r}, or: {_SAVE}" if suffixes else ""
    return refused(
        str(path),
        f"the file is actually {kind}, despite its name",
        rename or _SAVE,
    )
