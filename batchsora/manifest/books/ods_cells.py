"""What one cell of an OpenDocument sheet shows, and why that may not be a value."""

import re
from typing import Final

from lxml import etree

from batchsora.manifest.books import shown
from batchsora.manifest.books.model import HIDDEN
from batchsora.manifest.errors import FAILED, UNCALCULATED, CellError
from batchsora.manifest.values import UNCALCULATED as NO_RESULT
from batchsora.manifest.values import has_failed
from batchsora.workbook import WorkbookError

_ODF: Final = "urn:oasis:names:tc:opendocument:xmlns"
TABLE: Final = f"{{{_ODF}:table:1.0}}"
STYLE: Final = f"{{{_ODF}:style:1.0}}"
DRAW: Final = f"{{{_ODF}:drawing:1.0}}"
TEXT: Final = f"{{{_ODF}:text:1.0}}"
OFFICE: Final = f"{{{_ODF}:office:1.0}}"
SVG: Final = f"{{{_ODF}:svg-compatible:1.0}}"
LINK: Final = "{http://www.w3.org/1999/xlink}"
_EXTENDED: Final = "{urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0}"

LONGEST_TEXT: Final = 1_000_000
"""Characters of a cell; spreadsheets take 65,535 at most."""

_PARAGRAPH, _SPACES = f"{TEXT}p", f"{TEXT}s"
_BREAKS: Final = {f"{TEXT}tab": "\t", f"{TEXT}line-break": "\n"}
_ASIDE: Final = (f"{OFFICE}annotation", f"{DRAW}frame", f"{TEXT}ruby-text", f"{TEXT}note")
"""Elements inside a text that are not part of it."""
_NUMBERS: Final = ("float", "percentage", "currency")
_WHITE: Final = re.compile(r"[ \t\r\n]+")
_PLAIN: Final = re.compile(r"-?(?:\d+|\d{1,3}(?:,\d{3})+(?=\.))(?:\.(?P<part>\d+))?%?", re.ASCII)
_WHOLE: Final = re.compile(r"-?\d+%?", re.ASCII)
_COMMA: Final = re.compile(r"-?\d+,(?:\d{1,2}|\d{4,})%?", re.ASCII)
_SCIENTIFIC: Final = re.compile(r"-?\d+(?:[.,]\d+)?e[-+]?\d+", re.ASCII | re.IGNORECASE)
_SPAN: Final = re.compile(
    r"(?P<minus>-)?P(?:(?P<d>\d+)D)?T?(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?:(?P<s>\d+)(?:[.,]\d*)?S)?"
)
_THOUSANDS: Final = 3
"""Digits behind a point that may as well be one that separates thousands."""


def text_and_fault(cell: etree._Element) -> tuple[str, CellError | None]:
    """Return what a ``table:table-cell`` shows, and why that is not a value, or None."""
    kind = cell.get(f"{OFFICE}value-type")
    formula = cell.get(f"{TABLE}formula")
    if kind is None and formula is None and not len(cell):
        return "", None
    text = _text(cell)
    if cell.get(f"{_EXTENDED}value-type") == "error" or (
        formula is not None
        and has_failed((text or "").strip())
        and not (text or "").startswith("###")
    ):
        return text or "#ERROR!", FAILED
    value = _value(cell, kind, text)
    if value is None and formula is not None:
        return NO_RESULT, UNCALCULATED
    if text == "" and value and kind in _NUMBERS:
        return ("", None) if shown.is_naught(value) else (value, HIDDEN)
    return value or "", None


def _value(cell: etree._Element, kind: str | None, text: str | None) -> str | None:
    """Return a cell's value, or None; ``text`` is what is shown, None if that is not given."""
    if kind in _NUMBERS:
        stored = cell.get(f"{OFFICE}value")
        return text if stored is None else _number(stored, text, percent=kind == _NUMBERS[1])
    if kind == "date":
        return _date(cell.get(f"{OFFICE}date-value")) or text
    if kind == "time":
        return _time(cell.get(f"{OFFICE}time-value"), text or "") or text
    if kind == "boolean":
        stored = cell.get(f"{OFFICE}boolean-value")
        return text if stored is None else stored.upper()
    stored = cell.get(f"{OFFICE}string-value")
    # what is shown loses white space in the files of some programs
    exact = stored is not None and (text is None or stored.split() == text.split())
    return stored if exact else text


def _number(stored: str, text: str | None, *, percent: bool) -> str:
    """Return a number as it is shown, if that is unambiguous.

    ``1.000`` is one thing in London and another in Berlin, and the file does not say where it is
    from. Words beside a number belong to it: ``15 min``.
    """
    text = (text or "").strip()
    if _WHOLE.fullmatch(text):
        return text
    if _COMMA.fullmatch(text):
        text = text.replace(",", ".")
    found = _PLAIN.fullmatch(text)
    if found is not None and len(found["part"] or "") != _THOUSANDS:
        digits = float(text.rstrip("%").replace(",", ""))
        near = 0.51 * 10.0 ** -len(found["part"] or "")
        if abs(digits - float(stored) * (100 if percent else 1)) <= near:
            return text
    if text.isalpha() and stored in ("0", "1"):  # the result of a comparison
        return str(stored == "1").upper()
    if any(map(str.isalpha, text)) and not _SCIENTIFIC.fullmatch(text):
        return text
    return shown.number(stored, "")


def _date(stored: str | None) -> str | None:
    if stored is None:
        return None
    day, _, clock = stored.partition("T")
    clock = clock.partition(".")[0]
    return day if clock in ("", "00:00:00") else f"{day} {clock}"


def _time(stored: str | None, text: str) -> str | None:
    """Return a time of day or a span, with seconds if they are shown or are not 0."""
    found = _SPAN.fullmatch(stored or "")
    if found is None:
        return None
    days, hours, minutes, seconds = (int(found[name] or 0) for name in "dhms")
    minutes, hours = minutes % 60, hours + 24 * days + minutes // 60
    clock = f"{found['minus'] or ''}{hours:02}:{minutes:02}"
    return f"{clock}:{seconds:02}" if seconds or text.count(":") > 1 else clock


def _text(cell: etree._Element) -> str | None:
    """Return the paragraphs of a cell; None if it has none."""
    paragraphs: list[str] = []
    for one in cell.iterchildren(_PARAGRAPH):
        runs: list[str] = []
        _collect(one, runs)
        paragraphs.append("".join(runs))
        if sum(map(len, paragraphs)) > LONGEST_TEXT:
            raise WorkbookError(
                f"a cell has more than {LONGEST_TEXT} characters, more than a spreadsheet allows",
                "Copy the table alone into a new workbook, or save it as CSV UTF-8.",
            )
    return "\n".join(paragraphs) if paragraphs else None


def _collect(element: etree._Element, runs: list[str]) -> None:
    """Collect the text of an element; white space counts once, more of it is an element."""
    _add(element.text, runs)
    for child in element:
        if child.tag == _SPACES:
            count = child.get(f"{TEXT}c", "1")
            runs.append(" " * int(count) if count.isdecimal() else " ")
        elif child.tag in _BREAKS:
            runs.append(_BREAKS[child.tag])
        elif child.tag not in _ASIDE:
            _collect(child, runs)
        _add(child.tail, runs)


def _add(text: str | None, runs: list[str]) -> None:
    if not text:
        return
    text = _WHITE.sub(" ", text)
    if text.startswith(" ") and (not runs or runs[-1].endswith((" ", "\n", "\t"))):
        text = text[1:]
    if text:
        runs.append(text)
