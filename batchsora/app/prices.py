"""The prices that are known before anything is bought, with their source and date."""

from dataclasses import dataclass
from datetime import date

from jobs.money import Micros, to_micros


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


_SOURCE = "the provider's public documentation (docs/api.md)"
_SEEN = date(2026, 11, 1)

ANNOUNCED = (
    AnnouncedPrice("runblob/sora/10", to_micros("0.12"), _SOURCE, _SEEN),
    AnnouncedPrice("runblob/sora/10+image", to_micros("0.12"), _SOURCE, _SEEN),
)
"""Fifteen seconds have no announced price: the first one, bought alone, tells it."""
