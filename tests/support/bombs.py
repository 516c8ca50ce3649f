"""Small files that ask for much: memory, time, or whatever stands behind an entity."""

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE: Final = "urn:oasis:names:tc:opendocument:xmlns"
TYPES: Final = "http://schemas.openxmlformats.org/package/2006/content-types"
LINKS: Final = "http://schemas.openxmlformats.org/package/2006/relationships"
KINDS: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
SHEETML: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"


def package(path: Path, parts: Mapping[str, str | bytes]) -> Path:
    """Write a zip of parts."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return path


def xlsx_parts(rows: str, strings: str = "", sheet: str = "xl/worksheets/s.xml") -> dict[str, str]:
    """Give the parts of a workbook of one sheet, by hand."""
    return {
        "[Content_Types].xml": (
            f'<Types xmlns="{TYPES}">'
            '<Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{SHEETML}.sheet.main+xml"/>'
            f'<Override PartName="/{sheet}" ContentType="{SHEETML}.worksheet+xml"/>'
            f'<Override PartName="/xl/t.xml" ContentType="{SHEETML}.sharedStrings+xml"/></Types>'
        ),
        "_rels/.rels": (
            f'<Relationships xmlns="{LINKS}"><Relationship Id="r1" '
            f'Type="{KINDS}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
        ),
        "xl/workbook.xml": (
            f'<workbook xmlns="{MAIN}" xmlns:r="{KINDS}"><sheets>'
            '<sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>'
        ),
        "xl/_rels/workbook.xml.rels": (
            f'<Relationships xmlns="{LINKS}">'
            f'<Relationship Id="r1" Type="{KINDS}/worksheet" Target="/{sheet}"/>'
            f'<Relationship Id="r2" Type="{KINDS}/sharedStrings" Target="t.xml"/></Relationships>'
        ),
        sheet: f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>',
        "xl/t.xml": f'<sst xmlns="{MAIN}">{strings}</sst>',
    }


def text_row(number: int, text: str) -> str:
    """Write a row of one text."""
    return f'<row r="{number}"><c t="inlineStr"><is><t>{text}</t></is></c></row>'


HONEST: Final = text_row(1, "prompt") + text_row(2, "A fox")


def ods_parts(rows: str, head: str = "") -> dict[str, str]:
    """Give the parts of a LibreOffice sheet, by hand."""
    spaces = " ".join(f'xmlns:{n}="{OFFICE}:{n}:1.0"' for n in ("office", "table", "text"))
    return {
        "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
        "content.xml": (
            f'<?xml version="1.0"?>{head}<office:document-content {spaces}><office:body>'
            '<office:spreadsheet><table:table table:name="S"><table:table-row>'
            '<table:table-cell office:value-type="string"><text:p>prompt</text:p>'
            f"</table:table-cell></table:table-row>{rows}</table:table></office:spreadsheet>"
            "</office:body></office:document-content>"
        ),
        "META-INF/manifest.xml": f'<m xmlns="{OFFICE}:manifest:1.0"/>',
    }


def ods_row(text: str, repeat: str = "", cells: str = "") -> str:
    """Write a row with one cell."""
    return (
        f'<table:table-row {repeat}><table:table-cell office:value-type="string" {cells}>'
        f"<text:p>{text}</text:p></table:table-cell></table:table-row>"
    )


def ods_of_spaces(path: Path) -> Path:
    """Ask for 999,999,999 spaces in one cell: 3.9 GB."""
    return package(path, ods_parts(ods_row('A<text:s text:c="999999999"/>')))


def ods_of_short_spaces(path: Path) -> Path:
    """Ask for many cells, each of as many spaces as a cell may have."""
    cell = (
        '<table:table-cell office:value-type="string"><text:p>A<text:s text:c="32000"/></text:p>'
        "</table:table-cell>"
    )
    return package(path, ods_parts(f"<table:table-row>{cell * 100}</table:table-row>" * 900))


def ods_of_columns(path: Path) -> Path:
    """Repeat a cell a hundred million times."""
    return package(path, ods_parts(ods_row("A", cells='table:number-columns-repeated="100000000"')))


def ods_of_rows(path: Path) -> Path:
    """Repeat a row of a hundred cells as often as a sheet has rows: no number beyond its bounds."""
    return package(
        path,
        ods_parts(
            ods_row(
                "A fox",
                'table:number-rows-repeated="1048576"',
                'table:number-columns-repeated="100"',
            )
        ),
    )


def xlsx_of_unused_strings(path: Path) -> Path:
    """Hold four million texts that no cell has, in some 400 KB."""
    return package(path, xlsx_parts(HONEST, "<si><t>a</t></si>" * 9_000_000))


def xlsx_of_one_string(path: Path) -> Path:
    """Show one long text in each of half a million cells: 15 GB of text."""
    cells = "".join(f'<row r="{n}"><c t="s"><v>0</v></c></row>' for n in range(2, 500_000))
    return package(
        path, xlsx_parts(text_row(1, "prompt") + cells, f"<si><t>{'a' * 32_000}</t></si>")
    )


def xlsx_of_gaps(path: Path) -> Path:
    """Name a column far to the right in every row: what lies between is filled."""
    rows = "".join(
        f'<row r="{n}"><c r="ALL{n}" t="n"><v>1</v></c></row>' for n in range(2, 100_000)
    )
    return package(path, xlsx_parts(text_row(1, "prompt") + rows))


def yaml_of_aliases(path: Path) -> Path:
    """Write one long list into thousands of cells by its name."""
    texts = "".join(f"- {'a' * 990}\n" for _ in range(60))
    jobs = "- {prompt: A, note: [*l, *l, *l, *l, *l]}\n" * 12_000
    path.write_text(f"jobs:\n- prompt: A\n  note: &l\n{texts.replace('- ', '  - ')}{jobs}")
    return path


def yaml_of_combinations(path: Path) -> Path:
    """Combine short lists to a million long prompts."""
    names = "abcdef"
    lists = "\n".join(f"    {n}: [{', '.join(f'{n}{i}' for i in range(10))}]" for n in names)
    prompt = "x" * 4000 + " ".join(f"{{{n}}}" for n in names)
    path.write_text(f"matrix:\n  prompt: {prompt}\n  values:\n{lists}\n")
    return path


def png_of_one_colour(path: Path, side: int) -> Path:
    """Make a PNG of many pixels and few bytes."""
    packed = zlib.compressobj(9)
    line = bytes(1 + side * 3)
    data = b"".join(packed.compress(line) for _ in range(side)) + packed.flush()
    made = io.BytesIO()
    made.write(b"\x89PNG\r\n\x1a\n")
    for name, content in (
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)),
        (b"IDAT", data),
        (b"IEND", b""),
    ):
        made.write(struct.pack(">I", len(content)) + name + content)
        made.write(struct.pack(">I", zlib.crc32(name + content)))
    path.write_bytes(made.getvalue())
    return path
