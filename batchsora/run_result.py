"""What a run and its downloads came to, as values."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from jobs.ports.seen import BatchStatus, PriceRow
from jobs.services.run_outcome import Ending


@dataclass(slots=True)
class DownloadReport:
    """What a downloader did."""

    fetched: int = 0
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run went.

    Attributes:
        batches: those that it began with, and those of jobs that were handed to it.
        judged: the same as far as the run answers for them: of the latter the handed jobs alone.
        guests: numbers of the latter.
        surplus: generations that turned up after their replacement had been paid for.
        reappeared: generations that turned up late, and are their rows' videos.
        odd_prices: kinds of which a price was charged that is not believed yet.
    """

    ending: Ending
    batches: list[BatchStatus]
    judged: list[BatchStatus]
    guests: frozenset[int]
    downloads: DownloadReport
    surplus: int = 0
    reappeared: int = 0
    odd_prices: Sequence[PriceRow] = ()
