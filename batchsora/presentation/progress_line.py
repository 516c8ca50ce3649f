"""The line that a run shows of itself: what matters first, whole words, and never wider than asked.

On a narrow terminal the least important part goes first, and a part may have shorter wordings.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from batchsora.presentation.terminal_text import cells, clean
from jobs.model.ledger import together
from jobs.model.money import usd_text
from jobs.model.states import Blocked, JobState
from jobs.ports.seen import BatchStatus

Part = Sequence[str]
"""One thing to say; the longest wording first, then shorter ones."""

NONE: Final = "\u2013"
"""Stands where there is no estimate: an en dash."""

BAR: Final = 12
"""Cells of the bar, which is drawn where everything else has room."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How something stands: so much of so much, and what to say of it, in order of importance."""

    done: int
    total: int
    parts: Sequence[Part] = ()


def whole(now: Standing) -> str:
    """Return everything, for a log."""
    return _joined(now, [_one_line(part[0]) for part in now.parts])


def fitted(now: Standing, width: int) -> str:
    """Return a line of at most ``width`` cells: as many parts as fit, the most important first.

    Where something has no room, nothing less important takes its place. A part is left out whole
    rather than cut; the numbers alone are shown on any width.
    """
    wordings = [[_one_line(wording) for wording in part] for part in now.parts]
    kept: list[str] = []
    for part in wordings:
        if cells(_joined(now, [*kept, part[-1]])) > width:
            break
        kept.append(part[-1])
    for place in range(len(kept)):  # then longer wordings, as far as there is room
        for longer in wordings[place]:
            line = _joined(now, [*kept[:place], longer, *kept[place + 1 :]])
            if cells(line) <= width:
                kept[place] = longer
                break
    with_bar = _joined(now, kept, bar=True)
    whole_line = len(kept) == len(wordings) and cells(with_bar) <= width
    return with_bar if whole_line else _joined(now, kept)


def _one_line(text: str) -> str:
    return clean(" ".join(text.split()))


def _joined(now: Standing, parts: Sequence[str], *, bar: bool = False) -> str:
    head = f"{now.done}/{now.total}{_bar(now) if bar else ''}"
    return f"{head} {', '.join(parts)}" if parts else head


def _bar(now: Standing) -> str:
    filled = BAR * now.done // now.total if now.total else 0
    return f" |{'#' * min(BAR, filled):-<{BAR}}|"


_TROUBLE: Final = ((JobState.FAILED, "failed"), (JobState.IN_DOUBT, "unconfirmed"))
UNDER_WAY: Final = (JobState.SUBMITTING, JobState.PENDING, JobState.PROCESSING)


def of_batches(batches: Sequence[BatchStatus], left_seconds: float | None) -> Standing:
    """Return how the batches of a run stand.

    Args:
        left_seconds: an estimate of the time left; None: there is none, or nothing is under way.
    """
    held = sum(batch.held for batch in batches)
    done = sum(batch.total - batch.left for batch in batches)
    counts = {state: sum(batch.jobs[state] for batch in batches) for state in JobState}
    parts: list[Part] = [[f"{counts[one]} {word}"] for one, word in _TROUBLE if counts[one]]
    parts += [_paused(batch) for batch in batches if batch.paused]
    parts += [_waits(batch.waiting_for) for batch in batches if batch.waiting_for][:1]
    parts.append(_money(batches))
    if any(batch.left > batch.held for batch in batches):
        shown = NONE if left_seconds is None else span(left_seconds)
        parts.append([f"time left {shown}", f"{shown} left"])
    reserved = sum(batch.money.held for batch in batches)
    parts += [[f"${usd_text(reserved)} reserved"]] if reserved else []
    under_way = sum(counts[state] for state in UNDER_WAY)
    if under_way:
        parts.append([f"{under_way} under way"])
    queued = counts[JobState.QUEUED] - held
    parts += [[f"{queued} queued"]] if queued else []
    parts += [[f"{held} held back"]] if held else []
    return Standing(done, sum(batch.total - batch.held for batch in batches), parts)


def _paused(batch: BatchStatus) -> Part:
    return [f"{batch.name} paused", "paused"]


_SHORT: Final = {
    Blocked.BATCH_CAP: "budget",
    Blocked.CAMPAIGN_CAP: "campaign budget",
    Blocked.DAY_CAP: "daily budget",
    Blocked.PRICE: "price",
    Blocked.LEARNING: "a price",
    Blocked.TWIN: "a twin",
    Blocked.DOUBTS: "unconfirmed rows",
}


def _waits(reason: str) -> Part:
    """Return what a run waits for, with and without details."""
    bare = reason.partition(" (")[0]
    short = bare.partition(" until ")[0]
    for cause, word in _SHORT.items():
        short = short.replace(cause, word)
    return [f"waits for {text}" for text in (reason, bare, short)]


def _money(batches: Sequence[BatchStatus]) -> Part:
    money = together(batch.money for batch in batches)
    spent = f"${usd_text(money.charged)}"
    if money.cap is None:
        return [f"{spent} spent", spent]
    cap = f"${usd_text(money.cap)}"
    return [f"{spent} of {cap}", f"{spent}/{cap}"]


def span(seconds: float) -> str:
    """Return a span of time in its two largest units: ``2 h 5 min``, ``12 min``, ``40 s``."""
    whole_seconds = max(1, round(seconds))
    if whole_seconds < 60:  # noqa: PLR2004 - a minute
        return f"{whole_seconds} s"
    hours, minutes = divmod(round(whole_seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
