"""Workbooks for tests: written part by part, or saved by LibreOffice."""

import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from batchsora.manifest.errors import RowProblem
from batchsora.manifest.formats.sheet_reader import open_sheet
from batchsora.manifest.raw import PLAIN, RawRow, Reading

DATA: Final = Path(__file__).parents[1] / "data" / "books"

MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LINKS: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"


def xlsx(
    path: Path,
    rows: str,
    *,
    before: str = "",
    behind: str = "",
    book: str = "",
    styles: str = "",
    main: str = MAIN,
    also: Mapping[str, bytes] = {},
) -> Path:
    """Write a workbook whose sheet holds these rows, as they stand here.

    Args:
        path: of the file.
        rows: what ``sheetData`` holds.
        before: what the sheet has before it.
        behind: what it has behind it.
        book: what the workbook has behind its sheets.
        styles: what the part of styles holds.
        main: the namespace.
        also: other parts.
    """
    strict = main != MAIN
    links = "http://purl.oclc.org/ooxml/officeDocument/relationships" if strict else LINKS
    parts = {
        "[Content_Types].xml": f"""<Types xmlns="{_PACKAGE}/content-types">
            <Default Extension="rels"
             ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
            <Default Extension="png" ContentType="image/png"/>
            <Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>
            <Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/>
            <Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/>
            </Types>""",
        "_rels/.rels": f"""<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1"
            Type="{links}/officeDocument" Target="xl/workbook.xml"/></Relationships>""",
        "xl/workbook.xml": f"""<workbook xmlns="{main}" xmlns:r="{links}"><sheets>
            <sheet name="Videos" sheetId="1" r:id="rId1"/></sheets>{book}</workbook>""",
        "xl/_rels/workbook.xml.rels": f"""<Relationships xmlns="{_PACKAGE}/relationships">
            <Relationship Id="rId1" Type="{links}/worksheet" Target="worksheets/sheet1.xml"/>
            <Relationship Id="rId2" Type="{links}/styles" Target="styles.xml"/></Relationships>""",
        "xl/styles.xml": f'<styleSheet xmlns="{main}">{styles}</styleSheet>',
        "xl/worksheets/sheet1.xml": f"""<worksheet xmlns="{main}" xmlns:r="{links}">{before}
            <sheetData>{rows}</sheetData>{behind}</worksheet>""",
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in {**parts, **also}.items():
            package.writestr(name, content)
    return path


def cells(*texts: Any) -> str:
    """Write cells as XML: texts and numbers; XML was not changed, for the column it stands in."""
    written = []
    for place, text in enumerate(texts):
        name = chr(ord("A") + place)
        if isinstance(text, str) and text.startswith("<c"):
            written.append(text)
        elif isinstance(text, str):
            written.append(f'<c r="{name}1" t="inlineStr"><is><t>{text}</t></is></c>')
        elif text is not None:
            written.append(f'<c r="{name}1"><v>{text}</v></c>')
    return "".join(written)


def row(number: int, *texts: Any, more: str = "") -> str:
    """Write a row as XML."""
    return f'<row r="{number}"{more}>{cells(*texts)}</row>'


def saved_as(form: str, made: Path, folder: Path) -> Path:
    """Have LibreOffice save a workbook in another format.

    Args:
        form: its suffix, with the name of a filter where one is needed.
        made: the workbook.
        folder: for the new one; it is made.
    """
    program = shutil.which("soffice")
    if program is None:
        pytest.skip("LibreOffice is not installed (Debian: libreoffice-calc-nogui)")
    folder.mkdir(exist_ok=True)
    subprocess.run(
        [
            program,
            f"-env:UserInstallation=file://{folder}/profile",
            "--headless",
            *("--convert-to", form),
            *("--outdir", str(folder)),
            str(made),
        ],
        check=True,
        capture_output=True,
        timeout=180,
    )
    return folder / f"{made.stem}.{form.partition(':')[0]}"


def seen(path: Path, reading: Reading = PLAIN) -> dict[int, list[str]]:
    """Read a workbook's rows as texts, by their numbers; none has a problem."""
    found = read(path, reading)
    assert all(isinstance(item, RawRow) for item in found), found
    return {item.row: list(item.cells) for item in found if isinstance(item, RawRow)}


def faults(path: Path, reading: Reading = PLAIN) -> dict[str, RowProblem]:
    """Read what is wrong with a workbook's rows, by the cells' names."""
    return {str(item.cell): item for item in read(path, reading) if isinstance(item, RowProblem)}


def read(path: Path, reading: Reading = PLAIN) -> list[RawRow | RowProblem]:
    """Read a workbook's rows."""
    return list(open_sheet(path, reading).rows())


def told(path: Path, reading: Reading = PLAIN) -> list[str]:
    """Read what is told of a workbook beside its rows."""
    table = open_sheet(path, reading)
    list(table.rows())
    return [str(one).removeprefix(f"{path}, ") for one in table.warnings]
