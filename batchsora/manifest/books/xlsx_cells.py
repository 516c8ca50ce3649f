"""What one cell of Excel's format shows, and why that may not be a value."""

import re
from dataclasses import dataclass
from typing import Final

from lxml import etree

from batchsora.manifest.books import shown
from batchsora.manifest.books.model import HIDDEN, PictureInCellError
from batchsora.manifest.errors import FAILED, UNCALCULATED, CellError
from batchsora.manifest.values import UNCALCULATED as NO_RESULT

_ESCAPE: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")
_PICTURE: Final = re.compile(r"\b(?:DISPIMG|IMAGE)\s*\(", re.IGNORECASE)
RICH_VALUE: Final = "vm="
"""Begins the key of a picture that Excel has placed in a cell; no formula begins so."""
_LONGEST_FORMULA: Final = 32_767
_TEXTS: Final = ("str", "inlineStr", "s")


@dataclass(frozen=True, slots=True)
class Cells:
    """Reads the cells of one workbook; ``forms`` are number formats by the number of a style.

    ``to_calculate``: the program that wrote the book stored 0 instead of results.
    """

    texts: list[str]
    forms: list[str]
    from_1904: bool
    to_calculate: bool

    def trouble(
        self, cell: etree._Element, value: str | None, formula: str | None
    ) -> CellError | None:
        """Return why a cell has no value, or None.

        ``value`` is None if nothing is stored (an empty text is something); ``formula`` if it is
        not one.
        """
        kind = cell.get("t", "n")
        picture = _shown_picture(value, formula)
        if not picture and kind == "e" and value == "#VALUE!" and cell.get("vm") is not None:
            picture = f"{RICH_VALUE}{cell.get('vm')}"
        if picture:
            return PictureInCellError(picture)
        if kind == "e":
            return FAILED
        if kind == "n" and value and shown.hides(value.strip(), self._form(cell)):
            return HIDDEN
        if formula is None:
            return None
        if value is None or (not value and kind not in _TEXTS):
            return UNCALCULATED
        # a program that does not calculate stores 0, and says that it is to be calculated
        return UNCALCULATED if self.to_calculate and kind == "n" and not float(value) else None

    def shown(self, cell: etree._Element, value: str | None, formula: str | None) -> str:
        """Return what a cell shows; :data:`NO_RESULT` for a formula without a result."""
        kind = cell.get("t", "n")
        if value is None or (not value and kind not in _TEXTS):
            return "" if formula is None else NO_RESULT
        if kind == "s":
            return self.texts[int(value)] if value else ""
        if kind == "b":
            return "TRUE" if value.strip() in ("1", "true") else "FALSE"
        if kind == "d":
            return value.removesuffix("T00:00:00").replace("T", " ")
        if kind != "n":
            return unescaped(value)
        return shown.number(value.strip(), self._form(cell), from_1904=self.from_1904)

    def _form(self, cell: etree._Element) -> str:
        """Return a cell's number format; "" if numbers are shown as they are."""
        style = cell.get("s", "")
        known = style.isdecimal() and int(style) < len(self.forms)
        return self.forms[int(style)] if known else ""


def _shown_picture(value: str | None, formula: str | None) -> str:
    """Return the key of the picture that a formula of WPS (DISPIMG) or IMAGE shows, or ""."""
    by_wps = value is not None and value.lstrip("=").upper().startswith("DISPIMG(")
    if value is not None and by_wps:
        return value
    if formula is None:
        return ""
    empty = not value or value == "#VALUE!"
    shown = formula[:_LONGEST_FORMULA]
    return shown if empty and _PICTURE.search(shown) is not None else ""


def text_of(element: etree._Element) -> str:
    """Return a text of one or more runs, without the hints for its pronunciation."""
    texts: list[str] = []
    for child in element:
        name = child.tag.rpartition("}")[2]
        if name == "t":
            texts.append(child.text or "")
        elif name == "r":
            texts += [one.text or "" for one in child.iterfind("{*}t")]
    return unescaped("".join(texts))


def unescaped(text: str) -> str:
    """Return a text without the escapes of XML like ``_x000D_`` (ECMA-376 part 1, 22.9.2.19).

    All kinds of line breaks become LF; so does the vertical tab, which is one in Office.
    """
    if "_x" in text:
        text = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        text = text.replace("\v", "\n")
    return shown.line_ends(text)
