"""The result of a run and its downloads."""

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
        batches: those of the run, and those of jobs that were handed to it.
        judged: the same, but of the latter only the handed jobs.
        guests: numbers of the latter.
        surplus: generations that turned up after their replacement had been paid for.
        reappeared: generations that turned up late, and are their rows' videos.
        odd_prices: kinds with a charged price that is not trusted yet.
    """

    ending: Ending
    batches: list[BatchStatus]
    judged: list[BatchStatus]
    guests: frozenset[int]
    downloads: DownloadReport
    surplus: int = 0
    reappeared: int = 0
    odd_prices: Sequence[PriceRow] = ()
