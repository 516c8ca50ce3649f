"""A report of batches: one file without scripts, nothing from elsewhere, everything escaped."""

import asyncio
import base64
import hashlib
import io
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from itertools import islice
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from jinja2 import ChoiceLoader, Environment, PackageLoader
from markupsafe import Markup

from batchsora import advice
from batchsora.presentation.timeline import LENGTH, Course, course_of, shares, used_percent
from batchsora.tables import TableError, check_place, replacing
from batchsora.web.answers import environment
from batchsora.web.posters import Pictures
from jobs.model.errors import NotFoundError
from jobs.model.money import to_usd
from jobs.ports.queries import QueryStore
from jobs.ports.seen import BatchRow, BatchStatus, FailureGroup, JobRow, Taken
from jobs.ports.selection import Shelf, Wanted
from jobs.store import Store

ROWS: Final = 5_000  # jobs that a report lists
PICTURES: Final = 200  # videos on a report's contact sheets
FAILURES: Final = 50  # kinds and words of failures that a report shows of a batch


@dataclass(frozen=True, slots=True)
class Night:
    """What a report says of a batch."""

    status: BatchStatus  # its counts and money
    # when its first and its last job ended; None when none has
    ended: tuple[datetime, datetime] | None
    taken: Taken | None  # how long its videos took; None without any
    course: Course  # what ended when
    failures: Sequence[FailureGroup]  # by kind and words, the most frequent first
    jobs: Sequence[JobRow]  # in the order of the rows; all, or as many as the report has room for
    videos: Sequence[JobRow]  # those on the contact sheet
    verdicts: dict[int, str]  # of those, by attempt


def last_run(store: Store) -> datetime | None:
    """Return when the last run began, if any of its jobs has ended; None: cover every batch."""
    with store.queries.snapshot() as seen:
        began = seen.account().run_at
        return began if began is not None and _ran(seen, None, began) else None


def _ran(seen: QueryStore, batch: str | None, since: datetime | None) -> list[BatchRow]:
    """List batches, the newest first: of a name, or in which something ended since a moment."""
    found = reversed(seen.batches(batch))
    return [one for one in found if since is None or seen.ended_since(one.id, since) is not None]


def nights(seen: QueryStore, batch: str | None, since: datetime | None = None) -> list[Night]:
    """Read all batches, the newest first, or the one of that name, which must exist.

    Args:
        since: only those in which something ended since then.

    Raises:
        NotFoundError: there is none of that name, or nothing ended since then.
    """
    found: list[Night] = []
    rows, pictures = ROWS, PICTURES
    chosen = _ran(seen, batch, since)
    if since is not None and not chosen:
        raise NotFoundError(
            f"nothing has finished since {since.astimezone():%Y-%m-%d %H:%M %Z}; --all covers "
            "every batch"
        )
    for one in chosen:
        night = _night(seen, one, rows, pictures)
        rows -= len(night.jobs)
        pictures -= len(night.videos)
        found.append(night)
    return found


def _night(seen: QueryStore, batch: BatchRow, rows: int, pictures: int) -> Night:
    wanted = Wanted(batch.name)
    status = seen.status(batch)
    videos = seen.videos(batch.id, Shelf(by_row=True), pictures)
    return Night(
        status=status,
        ended=seen.ended_span(batch.id),
        taken=seen.taken(batch.id),
        course=course_of(seen, batch.id),
        failures=seen.failures(wanted)[:FAILURES] if status.failed_kinds else (),
        jobs=list(islice(seen.each_job(wanted), rows)),
        videos=videos,
        verdicts=seen.verdicts([video.attempt_id for video in videos if video.attempt_id]),
    )


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
    """A plot of some figures over time or length."""

    title: str  # what it shows, with its unit
    words: str  # the same for those who don't see it
    bars: Sequence[Bar]  # rectangles
    line: str  # corners of a line, as SVG writes them; or empty
    top: str  # the value of the upper edge
    limit: float | None  # its distance from the top; None where no limit is visible
    first: str  # the left edge
    last: str  # the right edge


def plots(course: Course, cap: float | None) -> list[Plot]:
    """Draw a batch's course, with its cap in USD; nothing where nothing has ended."""
    if not course.at:
        return []
    found = [_ends(course), _spend(course, cap)]
    if course.durations:
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
    least, most = course.durations[0][0], course.durations[-1][0] + LENGTH
    words = f"{sum(counts)} videos, {top} at most within {LENGTH} seconds"
    title = "minutes from submission to completion"
    return Plot(title, words, bars, "", str(top), None, f"{least / 60:g}", f"{most / 60:g}")


def _edges(course: Course) -> tuple[str, str]:
    return _clock(course.at[0]), _clock(course.at[-1] + course.seconds)


def _clock(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M}"


STYLES = (("batchsora.web", "static/style.css"), ("batchsora.report", "templates/report.css"))


@dataclass(frozen=True, slots=True)
class Written:
    """What a report came to."""

    batches: Sequence[str]  # their names
    rows: int  # jobs that it lists
    left_out: int  # jobs for which it had no room
    pictures: int  # on its contact sheets
    size: int  # in bytes
    others: int = 0  # batches that it leaves out


def write_report(
    store: Store,  # to read from
    target: Path,  # the file; what is there stays until the new one is complete
    batch: str | None,  # None for all
    now: datetime,  # for its head
    folder: Path,  # where posters are kept
    through: Callable[[Iterable[Any]], Iterable[Any]] = iter,  # shows progress
    *,
    since: datetime | None = None,  # only batches in which something ended since then
) -> Written:
    """Write a report, whole or not at all.

    Raises:
        NotFoundError: there is no batch of that name, or nothing ended since then.
        TableError: the file can't be written; the text says why.
    """
    if target.suffix.lower() not in (".html", ".htm"):
        raise TableError(f"{target}: a report is a web page. Name a file that ends with .html.")
    check_place(target)
    with store.queries.snapshot() as seen:
        found = nights(seen, batch, since)
        others = len(seen.batches()) - len(found) if batch is None else 0
    pictures = data_uris([video for night in found for video in night.videos], folder, through)
    style = "\n".join(resources.files(package).joinpath(name).read_text("utf-8")
                      for package, name in STYLES)  # fmt: skip
    text = (
        _environment()
        .get_template("report.html")
        .render(
            nights=found,
            plots={night.status.id: plots(night.course, _cap(night)) for night in found},
            pictures=pictures,
            style=Markup(style),  # noqa: S704 - our own files
            style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
            now=now,
            shares=shares,
            used_percent=used_percent,
            advice=lambda kind, batch: advice.of_kind(kind, batch).words,
            link=lambda job: link(job.file, target),
            width=WIDTH,
            height=HEIGHT,
        )
    )
    with replacing(target, "utf-8") as file:
        file.write(text)
    return Written(
        [night.status.name for night in found],
        sum(len(night.jobs) for night in found),
        sum(night.status.total - len(night.jobs) for night in found),
        len(pictures),
        target.stat().st_size,
        others,
    )


def link(file: str, target: Path) -> str:
    """Return where a file is, seen from the report: the folder may move as a whole."""
    try:
        near = os.path.relpath(file, target.absolute().parent)
    except ValueError:  # on another drive
        return Path(file).as_uri()
    return quote(Path(near).as_posix())


def _cap(night: Night) -> float | None:
    cap = night.status.money.cap
    return None if cap is None else float(to_usd(cap))


def _environment() -> Environment:
    packages = (PackageLoader("batchsora.report"), PackageLoader("batchsora.web"))
    found = environment().overlay(loader=ChoiceLoader(packages))
    found.filters = {**found.filters, "time": _time}
    return found


def _time(moment: datetime | None) -> Markup:
    """Return a time in this machine's zone: no script turns it into the reader's."""
    if moment is None:
        return Markup("\u2013")
    here = moment.astimezone()
    return Markup('<time datetime="{}">{}</time>').format(
        here.isoformat(timespec="seconds"), f"{here:%Y-%m-%d %H:%M} {here:%Z}"
    )


SIDE: Final = 260  # pixels of a picture's longer side: twice what is shown, for paper


def data_uris(
    videos: Sequence[Any], folder: Path, through: Callable[[Iterable[Any]], Iterable[Any]]
) -> dict[int, str]:
    """Return pictures of videos as data URIs by attempt, where a picture can be made."""
    pictures = Pictures(folder)
    found: dict[int, str] = {}
    with asyncio.Runner() as runner:
        for video in through(videos):
            poster = runner.run(pictures.poster(Path(video.file), video.sha256))
            if poster is not None:
                found[video.attempt_id] = _small(poster)
    return found


def _small(poster: Path) -> str:
    from PIL import Image  # noqa: PLC0415 - a library that may be missing

    content = io.BytesIO()
    with Image.open(poster, formats=("JPEG",)) as image:
        image.thumbnail((SIDE, SIDE))
        image.save(content, "JPEG", quality=72)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode("ascii")
