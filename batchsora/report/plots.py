"""Plots as figures in an SVG's own units; their template draws rectangles and lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from batchsora.presentation.timeline import LENGTH, Course

WIDTH: Final = 600
HEIGHT: Final = 160


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle, its upper left corner first."""

    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot of some figures over time or length.

    Attributes:
        title: what it shows, with its unit.
        words: the same for those who don't see it.
        bars: rectangles.
        line: corners of a line, as SVG writes them; empty when there is none.
        top: what the upper edge stands for.
        limit: how far down a limit lies; None when there is none to be seen.
        first: the left edge.
        last: the right edge.
    """

    title: str
    words: str
    bars: Sequence[Bar]
    line: str
    top: str
    limit: float | None
    first: str
    last: str


def plots(course: Course, cap: float | None) -> list[Plot]:
    """Draw a batch's course; nothing where nothing has ended.

    Args:
        course: of the batch.
        cap: of the batch, in USD.
    """
    if not course.at:
        return []
    found = [_ends(course), _spend(course, cap)]
    if any(count for _, count in course.durations):
        found.append(_lengths(course))
    return found


def _ends(course: Course) -> Plot:
    totals = [sum(pair) for pair in zip(course.completed, course.failed, strict=True)]
    top = max(totals)
    wide = WIDTH / len(totals)
    bars: list[Bar] = []
    for number, (done, failed) in enumerate(zip(course.completed, course.failed, strict=True)):
        at = float(HEIGHT)
        for kind, count in (("completed", done), ("failed", failed)):
            high = count * HEIGHT / top
            at -= high
            if count:
                bars.append(Bar(kind, number * wide, at, max(wide - 1, wide / 2), high))
    minutes = round(course.seconds / 60)
    words = f"{sum(course.completed)} completed, {sum(course.failed)} failed, {top} at most"
    each = "minute" if minutes == 1 else f"{minutes} minutes"
    title = f"finished per {each}"
    return Plot(title, f"{words} per {each}", bars, "", str(top), None, *_edges(course))


def _spend(course: Course, cap: float | None) -> Plot:
    spent = course.spent[-1]
    near = cap is not None and 0 < cap <= 2 * spent
    top = max(spent, cap or 0.0) if near else spent
    top = top or 1.0
    wide = WIDTH / len(course.spent)
    corners = [(0.0, HEIGHT)] + [
        ((number + 1) * wide, HEIGHT - HEIGHT * usd / top)
        for number, usd in enumerate(course.spent)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
    limit = HEIGHT - HEIGHT * cap / top if cap is not None and near else None
    words = f"${spent:.2f} spent" + (f" of ${cap:.2f}" if cap is not None else "")
    return Plot("spent, USD", words, (), line, f"${top:.2f}", limit, *_edges(course))


def _lengths(course: Course) -> Plot:
    counts = [count for _, count in course.durations]
    top = max(counts)
    wide = WIDTH / len(counts)
    bars = [
        Bar(
            "length", number * wide, HEIGHT - count * HEIGHT / top, wide * 0.9, count * HEIGHT / top
        )
        for number, count in enumerate(counts)
        if count
    ]
    most = course.durations[-1][0] + LENGTH
    words = f"{sum(counts)} videos, {top} at most within {LENGTH} seconds"
    title = "minutes from submission to completion"
    return Plot(title, words, bars, "", str(top), None, "0", f"{most / 60:g}")


def _edges(course: Course) -> tuple[str, str]:
    return _clock(course.at[0]), _clock(course.at[-1] + course.seconds)


def _clock(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds).astimezone():%d %b %H:%M}"
