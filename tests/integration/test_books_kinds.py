"""What a file is by its content: a name alone opens no reader, and the error says what it is."""

import shutil
from pathlib import Path

import pytest
from support.books import DATA, row, xlsx

from batchsora.manifest.errors import ManifestError
from batchsora.manifest.read import open_manifest

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600


@pytest.mark.parametrize(
    ("content", "name", "says", "does"),
    [
        (b"id,prompt\na,A fox\n", "table.xlsx", "a text table (CSV)", "'table.csv'"),
        (b"<html><table><tr><td>prompt", "report.xls", "an HTML page", "save it as .xlsx"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html>", "report.xls", "an HTML page", "save it as .xlsx"),
        (b'<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet">',
         "old.xls", "an XML sheet of Excel 2003", "save it as .xlsx"),
        (OLE, "old.xlsx", "a workbook of Excel 97", "'old.xls'"),
        (OLE + "EncryptedPackage".encode("utf-16-le"), "secret.xlsx", "encrypted", "password"),
        (b"%PDF-1.7", "print.xlsx", "a PDF", "save it as .xlsx"),
        (b"PK\x03\x04 cut", "cut.xlsx", "damaged", "Copy it here again"),
        (b"", "none.xlsx", "is empty", "save it as .xlsx"),
        (b"\0\1\2\3", "noise.ods", "not a workbook", "save it as .xlsx"),
    ],
)  # fmt: skip
def test_another_content_is_named(
    tmp_path: Path, content: bytes, name: str, says: str, does: str
) -> None:
    """And what to do about it."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ManifestError) as caught:
        open_manifest(path)
    assert says in caught.value.problem.problem
    assert does in caught.value.problem.remedy


@pytest.mark.parametrize(
    ("kept", "name", "says"),
    [
        ("errors.ods", "m.xlsx", "an OpenDocument sheet"),
        ("errors.xls", "m.xlsx", "a workbook of Excel 97"),
        ("errors.xlsx", "m.ods", "an Excel workbook"),
        ("errors.xlsx", "m.xls", "an Excel workbook"),
    ],
)
def test_a_workbook_of_another_format_is_named(
    tmp_path: Path, kept: str, name: str, says: str
) -> None:
    """With the name that it should have."""
    path = tmp_path / name
    shutil.copy(DATA / kept, path)
    with pytest.raises(ManifestError, match=says) as caught:
        open_manifest(path)
    assert f"'m{Path(kept).suffix}'" in caught.value.problem.remedy


@pytest.mark.parametrize("suffix", [".xlsm", ".xltx", ".xltm"])
def test_the_relatives_of_an_excel_workbook_are_read(tmp_path: Path, suffix: str) -> None:
    """With macros, and templates; letters of a suffix may be large."""
    path = xlsx(tmp_path / f"m{suffix.upper()}", row(1, "prompt") + row(2, "A fox"))
    assert len(list(open_manifest(path).rows())) == 1
