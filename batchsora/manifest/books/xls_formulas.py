"""The kind of a formula's value in .xls, by its last token (MS-XLS 2.5.198, BIFF8).

Programs store the number 0 for a text that they did not calculate: LibreOffice in an .xls from an
.ods, and libraries that write .xls without Excel.
"""

from collections.abc import Mapping
from struct import error, unpack_from
from typing import Final

_TOKENS: Final = 22
"""Where the tokens of a formula's record begin, behind their size."""
_STRING, _ATTRIBUTE, _FUNCTION, _FUNCTION_OF_SOME, _PARENTHESIS = 0x17, 0x19, 0x21, 0x22, 0x15
_CHOOSE, _SUM, _WIDE = 0x04, 0x10, 0x01
_CLASSES: Final = 0x20
"""From here on a token has two bits that tell nothing of its kind."""
_SIZES: Final[Mapping[int, int]] = dict.fromkeys(range(0x03, 0x17), 0) | {
    0x01: 4, 0x02: 4, 0x1C: 1, 0x1D: 1, 0x1E: 2, 0x1F: 8,
    0x20: 7, 0x21: 2, 0x22: 3, 0x23: 4, 0x24: 4, 0x25: 8, 0x26: 6, 0x27: 6, 0x28: 6, 0x29: 2,
    0x2A: 4, 0x2B: 8, 0x2C: 4, 0x2D: 8, 0x39: 6, 0x3A: 6, 0x3B: 10, 0x3C: 6, 0x3D: 10,
}  # fmt: skip
"""Bytes of each token behind its first."""
_CONCATENATION: Final = 0x08
_NUMBERS: Final = frozenset([*range(0x03, 0x08), *range(0x09, 0x0F), 0x13, 0x14, 0x1D, 0x1E, 0x1F])
"""Sums and their like, comparisons, signs, constants."""
_OF_TEXTS: Final = frozenset(
    [13, 14, 30, 31, 48, 111, 112, 113, 114, 115, 116, 118, 119, 120, 130, 162, 336]
)
"""Functions that give texts: MID, TEXT, LOWER, LEFT, TRIM, SUBSTITUTE, CONCATENATE …"""
_OF_NUMBERS: Final = frozenset(
    [
        *range(4, 10), *range(15, 28), *range(36, 40), *range(65, 75),
        0, 32, 33, 63, 64, 76, 77, 82, 124, 169, 183, 197, 212, 213, 221, 228, 344, 345, 346, 347,
    ]
)  # fmt: skip
"""Functions that give numbers: SUM, AVERAGE, ROUND, LEN, DATE, COUNT, MATCH, SUMIF …"""


def gives_number(record: bytes) -> bool | None:
    """Return whether a formula's record has a number as result; False: a text, None: unknown."""
    try:
        return _last_gives_number(record)
    except (IndexError, error):
        return None


def _last_gives_number(record: bytes) -> bool | None:
    number: bool | None = None
    at = _TOKENS
    end = at + unpack_from("<H", record, at - 2)[0]
    while at < end:
        token = record[at]
        if token >= _CLASSES:
            token = token & 0x1F | _CLASSES
        at += 1
        if token == _STRING:
            at += 2 + record[at] * (2 if record[at + 1] & _WIDE else 1)
            number = False
        elif token == _ATTRIBUTE:
            flags, count = record[at], unpack_from("<H", record, at + 1)[0]
            at += 3 + (2 * (count + 1) if flags & _CHOOSE else 0)
            number = True if flags & _SUM else number
        elif token in _SIZES:
            number = number if token == _PARENTHESIS else _kind(token, record, at)
            at += _SIZES[token]
        else:
            return None
    return number


def _kind(token: int, record: bytes, at: int) -> bool | None:
    """Return the same for one token."""
    if token in (_FUNCTION, _FUNCTION_OF_SOME):
        function = unpack_from("<H", record, at + (token == _FUNCTION_OF_SOME))[0]
        return True if function in _OF_NUMBERS else False if function in _OF_TEXTS else None
    return True if token in _NUMBERS else False if token == _CONCATENATION else None
