"""The prices that are known before anything is bought, with their source and date."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from jobs.money import Micros, to_micros, usd_text


@dataclass(frozen=True, slots=True)
class AnnouncedPrice:
    """A price that the provider announced.

    Attributes:
        kind: the price kind's key.
        source: where it is written.
        seen: when it was read there.
    """

    kind: str
    micros: Micros
    source: str
    seen: date


KINDS = tuple(f"runblob/sora/{name}" for name in ("10", "10+image", "15", "15+image"))
"""What can be bought (:mod:`batchsora.runblob.kinds`)."""

_SOURCE = "the provider's public documentation (docs/api.md)"
_SEEN = date(2026, 11, 1)

ANNOUNCED = (
    AnnouncedPrice("runblob/sora/10", to_micros("0.12"), _SOURCE, _SEEN),
    AnnouncedPrice("runblob/sora/10+image", to_micros("0.12"), _SOURCE, _SEEN),
)
"""Fifteen seconds have no announced price: the first one, bought alone, tells it."""


def odd_lines(found: Sequence[Any]) -> list[str]:
    """Return which kinds were charged an odd price, what it means, and what to type."""
    return [
        f"{row.kind} cost ${usd_text(row.odd_micros)} once, on {row.odd_at:%Y-%m-%d %H:%M} UTC: "
        f"charged, but its price stays ${usd_text(row.last_micros)} until that is seen again. If "
        f"it is right: 'batchsora prices set {row.kind} {usd_text(row.odd_micros)}'"
        for row in found
        if row.odd_micros is not None
    ]
