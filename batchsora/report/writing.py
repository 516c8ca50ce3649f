"""From batches to one file: no script, nothing from elsewhere, everything escaped."""

import asyncio
import base64
import hashlib
import io
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from jinja2 import ChoiceLoader, Environment, PackageLoader
from markupsafe import Markup

from batchsora.presentation.timeline import shares, used_percent
from batchsora.report.nights import ADVICE, Night, nights
from batchsora.report.plots import HEIGHT, WIDTH, plots
from batchsora.tables import TableError, check_place, replacing
from batchsora.web.posters import Pictures
from batchsora.web.rendering import environment
from jobs.model.money import to_usd
from jobs.model.states import FailureKind
from jobs.store import Store

STYLES = (("batchsora.web", "static/style.css"), ("batchsora.report", "templates/report.css"))


@dataclass(frozen=True, slots=True)
class Written:
    """What a report came to.

    Attributes:
        batches: their names.
        rows: jobs that it lists.
        left_out: jobs for which it had no room.
        pictures: on its contact sheets.
        size: in bytes.
    """

    batches: Sequence[str]
    rows: int
    left_out: int
    pictures: int
    size: int


def write_report(
    store: Store,
    target: Path,
    batch: str | None,
    now: datetime,
    folder: Path,
    through: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> Written:
    """Write a report, whole or not at all.

    Args:
        store: what it tells of.
        target: the file; what is there stays until the new one is complete.
        batch: the only one told of; None tells of all.
        now: for its head.
        folder: where posters are kept.
        through: shows how many pictures are done, when it takes long.

    Raises:
        NotFoundError: there is no batch of that name.
        TableError: the file can't be written; the text says why.
    """
    _check(target)
    with store.queries.snapshot() as seen:
        found = nights(seen, batch)
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
            advice=lambda kind: ADVICE[FailureKind(kind)],
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


def _check(target: Path) -> None:
    if target.suffix.lower() not in (".html", ".htm"):
        raise TableError(f"{target}: a report is a web page. Name a file that ends with .html.")
    check_place(target)


def _environment() -> Environment:
    packages = (PackageLoader("batchsora.report"), PackageLoader("batchsora.web"))
    found = environment().overlay(loader=ChoiceLoader(packages))
    found.filters = {**found.filters, "time": _time}
    return found


def _time(moment: datetime | None) -> Markup:
    """Write a time in the zone of the machine that writes: no script turns it into the reader's."""
    if moment is None:
        return Markup("\u2013")
    here = moment.astimezone()
    return Markup('<time datetime="{}">{}</time>').format(
        here.isoformat(timespec="seconds"), f"{here:%Y-%m-%d %H:%M} {here:%Z}"
    )


SIDE: Final = 260
"""Pixels of a picture's longer side: sharp at half of that on paper and on dense screens."""


def data_uris(
    videos: Sequence[Any], folder: Path, through: Callable[[Iterable[Any]], Iterable[Any]]
) -> dict[int, str]:
    """Make pictures of videos.

    Args:
        videos: jobs with their files.
        folder: where the page keeps its posters; they are shared.
        through: shows how many are done, when it takes long.

    Returns:
        Data URIs by attempt; without those of which no picture can be made.
    """
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
