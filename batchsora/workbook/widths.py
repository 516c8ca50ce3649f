"""The widths of a sheet's columns: new columns are given one, and are seen."""

from copy import deepcopy

from lxml import etree

from batchsora.workbook.cells import insert_behind, tag
from batchsora.workbook.links import BEFORE_COLUMNS


def widen(sheet: etree._Element, column: int, width: int) -> None:
    """Give a new column a width, unless it has one, and show it where it was hidden.

    Args:
        sheet: the sheet.
        column: from 1.
        width: in characters.
    """
    widths = sheet.find(tag("cols"))
    if widths is None:
        widths = etree.Element(tag("cols"))
        insert_behind(sheet, widths, BEFORE_COLUMNS)
    after = None
    for one in widths:
        first, last = int(one.get("min") or 1), int(one.get("max") or 1)
        if first <= column <= last:
            if one.get("hidden", "0").lower() in ("1", "true") or one.get("width") == "0":
                _show(one, first, last, column, width)
            return
        if first < column:
            after = one
    made = etree.Element(
        tag("col"), min=str(column), max=str(column), width=str(width), customWidth="1"
    )
    if after is None:
        widths.insert(0, made)
    else:
        after.addnext(made)


def _show(hidden: etree._Element, first: int, last: int, column: int, width: int) -> None:
    """Take one column out of those that are hidden together; the others stay as they are."""
    if column < last:
        right = deepcopy(hidden)
        right.set("min", str(column + 1))
        hidden.addnext(right)
    shown = deepcopy(hidden)
    shown.set("min", str(column))
    shown.set("max", str(column))
    shown.set("width", str(width))
    shown.set("customWidth", "1")
    for name in ("hidden", "collapsed", "outlineLevel"):
        shown.attrib.pop(name, "")
    hidden.addnext(shown)
    if column > first:
        hidden.set("max", str(column - 1))
    else:
        parent = hidden.getparent()
        if parent is not None:
            parent.remove(hidden)
