"""Cell formats of a workbook: derived from a cell's own, and added behind the person's own."""

from copy import deepcopy
from typing import Final

from lxml import etree
from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format

from batchsora.workbook.cells import tag

RED: Final = "FFFFC7CE"
"""The light red that spreadsheets offer for what is bad."""
BLUE: Final = "FF0563C1"
"""The blue of links."""
DATE_AND_TIME: Final = 22
"""The built-in format of a date with a time, in the order that the reader's country has."""

# in CT_Font a colour and an underline come before these
_AFTER_UNDERLINE: Final = ("vertAlign", "sz", "color", "name", "family", "charset", "scheme")
_AFTER_COLOUR: Final = ("name", "family", "charset", "scheme")


class Styles:
    """The cell formats of a workbook; ``root`` is its part ``styles.xml``."""

    def __init__(self, root: etree._Element) -> None:
        self._formats = _list(root, "cellXfs")
        own = root.iterfind(f"{tag('numFmts')}/{tag('numFmt')}")
        self._codes = {one.get("numFmtId"): one.get("formatCode") or "" for one in own}
        self._fills = _list(root, "fills")
        self._fonts = _list(root, "fonts")
        self._made: dict[tuple[int, bool, bool, bool], int] = {}
        self._red: int | None = None
        self._linked: dict[int, int] = {}
        self.changed = False

    def derived(self, base: int, *, red: bool, link: bool, moment: bool) -> int:
        """Return the number of the format for a result, derived from ``base``, the cell's own.

        ``red`` marks it, else the mark of an earlier export is removed; ``moment`` is a date with a
        time.
        """
        wanted = (base, red, link, moment)
        if wanted not in self._made:
            self._made[wanted] = self._derive(base, red=red, link=link, moment=moment)
        return self._made[wanted]

    def _derive(self, base: int, *, red: bool, link: bool, moment: bool) -> int:
        if not 0 <= base < len(self._formats):
            return base
        own = self._formats[base]
        made = deepcopy(own)
        if red != self._is_red(own):
            _set(made, "fillId", self._red_fill() if red else 0, "applyFill")
        font = int(own.get("fontId") or 0)
        if link and not self._is_link(font):
            _set(made, "fontId", self._link_font(font), "applyFont")
        if moment and not self._shows_dates(own.get("numFmtId", "0")):
            _set(made, "numFmtId", DATE_AND_TIME, "applyNumberFormat")
        if made.attrib == own.attrib:
            return base
        same = (number for number, one in enumerate(self._formats) if _same(one, made))
        return next(same, None) or self._add(self._formats, made)

    def _shows_dates(self, number: str) -> bool:
        """Return whether a number format shows days as dates; any other shows 46356.43."""
        built_in = BUILTIN_FORMATS.get(int(number), "") if number.isdecimal() else ""
        return bool(is_date_format(self._codes.get(number, built_in)))

    def _is_red(self, own: etree._Element) -> bool:
        number = int(own.get("fillId") or 0)
        return 0 <= number < len(self._fills) and _is_red(self._fills[number])

    def _is_link(self, number: int) -> bool:
        if not 0 <= number < len(self._fonts):
            return False
        font = self._fonts[number]
        colour = font.find(tag("color"))
        return font.find(tag("u")) is not None and colour is not None and colour.get("rgb") == BLUE

    def _red_fill(self) -> int:
        if self._red is None:
            there = (number for number, fill in enumerate(self._fills) if _is_red(fill))
            self._red = next(there, None)
        if self._red is None:
            fill = etree.Element(tag("fill"))
            pattern = etree.SubElement(fill, tag("patternFill"), patternType="solid")
            etree.SubElement(pattern, tag("fgColor"), rgb=RED)
            etree.SubElement(pattern, tag("bgColor"), indexed="64")
            self._red = self._add(self._fills, fill)
        return self._red

    def _link_font(self, base: int) -> int:
        if base not in self._linked:
            there = 0 <= base < len(self._fonts)
            font = deepcopy(self._fonts[base]) if there else etree.Element(tag("font"))
            for name in ("u", "color"):
                for old in font.findall(tag(name)):
                    font.remove(old)
            _insert(font, etree.Element(tag("u")), _AFTER_UNDERLINE)
            _insert(font, etree.Element(tag("color"), rgb=BLUE), _AFTER_COLOUR)
            self._linked[base] = self._add(self._fonts, font)
        return self._linked[base]

    def _add(self, among: etree._Element, one: etree._Element) -> int:
        among.append(one)
        among.set("count", str(len(among)))
        self.changed = True
        return len(among) - 1


def _is_red(fill: etree._Element) -> bool:
    colour = fill.find(f"{tag('patternFill')}/{tag('fgColor')}")
    return colour is not None and colour.get("rgb") == RED


def _same(one: etree._Element, other: etree._Element) -> bool:
    return one.attrib == other.attrib and etree.tostring(one) == etree.tostring(other)


def _list(root: etree._Element, name: str) -> etree._Element:
    found = root.find(tag(name))
    return etree.SubElement(root, tag(name)) if found is None else found


def _set(made: etree._Element, name: str, number: int, applies: str) -> None:
    made.set(name, str(number))
    made.set(applies, "1")


def _insert(font: etree._Element, one: etree._Element, before: tuple[str, ...]) -> None:
    for child in font:
        if etree.QName(child).localname in before:
            child.addprevious(one)
            return
    font.append(one)
