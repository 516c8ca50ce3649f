"""The links of a sheet: which cells have one, and where it leads."""

from collections.abc import Collection
from typing import Final
from zipfile import ZipFile

from lxml import etree

from batchsora.workbook.cells import insert_behind, place_of, tag
from batchsora.workbook.package import LINKS, PACKAGE_LINKS, links_of, part

MOST_LINKS: Final = 65_530
"""Links of a sheet, as many as Excel has."""
BEFORE_COLUMNS: Final = ("sheetPr", "dimension", "sheetViews", "sheetFormatPr")
_BEFORE_LINKS: Final = (
    *BEFORE_COLUMNS, "cols", "sheetData", "sheetCalcPr", "sheetProtection", "protectedRanges",
    "scenarios", "autoFilter", "sortState", "dataConsolidate", "customSheetViews", "mergeCells",
    "phoneticPr", "conditionalFormatting", "dataValidations",
)  # fmt: skip
"""What comes before an element in a sheet (ECMA-376, CT_Worksheet)."""


class Links:
    """The links of a sheet, while results are written into it."""

    def __init__(self, package: ZipFile, name: str, sheet: etree._Element) -> None:
        self._name = links_of(name)
        self._sheet = sheet
        there = self._name in package.namelist()
        self._leads = (
            part(package, self._name)
            if there
            else etree.Element(f"{{{PACKAGE_LINKS}}}Relationships", nsmap={None: PACKAGE_LINKS})  # type: ignore[dict-item]
        )
        self._used = {link.get("Id") for link in self._leads}
        self._cells = sheet.find(tag("hyperlinks"))
        self._count = 0 if self._cells is None else len(self._cells)
        self._next = 1
        self._changed = False
        self.notes: list[str] = []

    def changed(self) -> dict[str, etree._Element]:
        """Return the part of the links, if it has to be written."""
        if self._cells is not None and not len(self._cells):
            self._sheet.remove(self._cells)
        return {self._name: self._leads} if self._changed else {}

    def forget(self, columns: Collection[int], rows: Collection[int]) -> None:
        """Remove the links of an earlier export; a link over several cells is a person's own."""
        gone: set[str | None] = set()
        for link in [] if self._cells is None else list(self._cells):
            row, column = place_of(link.get("ref") or "") or (0, 0)
            if column in columns and row in rows:
                link.getparent().remove(link)  # type: ignore[union-attr]
                gone.add(link.get(f"{{{LINKS}}}id"))
                self._count -= 1
        for one in self._sheet.iter():  # a link, or anything else, may lead there as well
            gone -= {value for name, value in one.attrib.items() if LINKS in str(name)}
        for link in list(self._leads):
            if link.get("Id") in gone:
                self._leads.remove(link)
                self._changed = True
        self._used -= gone

    def add(self, place: str, target: str) -> bool:
        """Make a cell clickable; return False if the sheet has as many links as it may."""
        if self._count >= MOST_LINKS:
            if not self.notes:
                self.notes.append(
                    f"a sheet can have at most {MOST_LINKS} links; the others are texts"
                )
            return False
        while f"rId{self._next}" in self._used:
            self._next += 1
        number = f"rId{self._next}"
        self._used.add(number)
        etree.SubElement(
            self._leads, f"{{{PACKAGE_LINKS}}}Relationship", Id=number, Type=f"{LINKS}/hyperlink",
            Target=target, TargetMode="External",
        )  # fmt: skip
        if self._cells is None:
            self._cells = etree.Element(tag("hyperlinks"))
            insert_behind(self._sheet, self._cells, _BEFORE_LINKS)
        link = etree.SubElement(self._cells, tag("hyperlink"), ref=place)
        link.set(f"{{{LINKS}}}id", number)
        self._count += 1
        self._changed = True
        return True
