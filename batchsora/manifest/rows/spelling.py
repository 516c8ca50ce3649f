"""Headers as letters and words: what of a spelling does not count, and how far two are apart."""

import re
from typing import Final

from jobs.model.text import normalized

WORD: Final = re.compile(r"[^\W_]+")
CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


def folded(header: str) -> str:
    """Return only the letters and digits of a header, without case and width.

    ``"Aspect-Ratio "`` and ``"aspect_ratio"`` are equal.
    """
    normal = normalized(header, "NFKC").casefold()
    return "".join(character for character in normal if character.isalnum())


def slips(one: str, other: str) -> int:
    """Return the Damerau distance: letters added, dropped, changed, or swapped with a neighbour."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        row = [i]
        for j, b in enumerate(other, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and b == one[i - 2]:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]
