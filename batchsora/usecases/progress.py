"""The progress of a run: one line on a terminal, a line now and then in a log."""

import asyncio
import shutil
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence, Sized
from contextlib import nullcontext
from typing import Any, TextIO, TypeVar

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from batchsora.presentation.event_words import event_words
from batchsora.presentation.json_shapes import said_words
from batchsora.presentation.progress_line import UNDER_WAY, Standing, fitted, of_batches, whole
from batchsora.presentation.terminal_text import clean, state_text
from jobs.model.states import JobState
from jobs.ports.events import EXPECTED, RunEvent
from jobs.ports.seen import JobRow
from jobs.store import Store

T = TypeVar("T")

EVERY = 0.5
"""Seconds between two looks on a terminal."""

EVERY_IN_LOG = 30.0
"""Seconds between two lines in a log file."""

LATELY = 1800.0
"""Seconds whose pace says how long the rest takes."""

Look = Callable[[], Standing]
"""Tells how something stands."""


class Pace:
    """Estimates how long the rest takes, from what ended lately while it was looked at."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._seen: deque[tuple[float, int]] = deque()

    def seconds_left(self, done: int, left: int) -> float | None:
        """Return how many seconds the rest takes; None while nothing has ended.

        Args:
            done: how many have ended by now.
            left: how many have not.
        """
        now = self._monotonic()
        if not self._seen or self._seen[-1][1] != done:
            self._seen.append((now, done))
        while len(self._seen) > 1 and self._seen[1][0] < now - LATELY:
            self._seen.popleft()
        began, before = self._seen[0]
        ended = done - before
        return left * (now - began) / ended if ended > 0 and now > began else None


def batches_look(store: Store, batch_ids: Callable[[], Sequence[int]]) -> Look:
    """Look at batches: the table also shows what other processes do."""
    pace = Pace()

    def look() -> Standing:
        batches = store.queries.statuses(batch_ids())
        left = sum(batch.left - batch.held for batch in batches)
        seconds = pace.seconds_left(sum(batch.total - batch.left for batch in batches), left)
        moves = any(batch.jobs[state] for batch in batches for state in UNDER_WAY)
        blocked = any(batch.waiting_for for batch in batches)
        return of_batches(batches, seconds if moves and not blocked else None)

    return look


def jobs_look(store: Store, job_ids: Sequence[int]) -> Look:
    """Look at a few jobs; of a single one show its place in the queue, and its percent."""

    def look() -> Standing:
        found = store.queries.numbered(job_ids)
        if len(found) == 1:
            (job,) = found
            percent = 100 if job.state == JobState.COMPLETED else job.percent or 0
            words = job_words(job)
            return Standing(percent, 100, [[f"{job.key} {words}", words]])
        done = sum(job.state in ENDS for job in found)
        counts = Counter(state_text(job.state) for job in found)
        return Standing(done, len(found), [[f"{n} {state}"] for state, n in counts.items()])

    return look


News = Callable[[], Iterable[str]]
"""Tells what is worth a line in a log since the last time."""

MOST_NEWS = 20
"""Lines of news at one time."""


def batches_news(store: Store, batch_ids: Callable[[], Sequence[int]]) -> News:
    """Report from now on which jobs failed or are unconfirmed, and what batches wait for."""
    seen = store.events.newest()

    def news() -> list[str]:
        nonlocal seen
        lines: list[str] = []
        while found := store.events.since(seen, 1000, batch_ids()):
            seen = found[-1].number
            lines += [
                clean(event_words(one))
                for one in found  # the end of a run has its own line
                if not isinstance(one, RunEvent) and one.fact not in EXPECTED
            ]
        more = len(lines) - MOST_NEWS
        return [*lines[:MOST_NEWS], f"and {more} more"] if more > 0 else lines

    return news


ENDS = (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)


def job_words(job: JobRow) -> str:
    """Return a job's state in a few words."""
    if said := said_words(job):
        return said
    if job.state == JobState.PENDING and job.queue_position is not None:
        return f"position {job.queue_position} in the queue"
    if job.state == JobState.PROCESSING and job.percent is not None:
        return f"{job.percent} % done"
    return state_text(job.state)


class Progress:
    """Shows progress on stderr until cancelled.

    Args:
        look: called twice a second.
        stream: stderr by default; a terminal gets a bar, anything else a line now and then.
        quiet: show nothing.
        news: asked before each line; a terminal only gets the bar.
    """

    def __init__(
        self,
        look: Look,
        stream: TextIO | None = None,
        *,
        quiet: bool = False,
        news: News = tuple,
    ) -> None:
        self._look = look
        self._news = news
        self._quiet = quiet
        self._stream = sys.stderr if stream is None else stream
        self._terminal = self._stream.isatty()
        self._said = ""

    async def run(self) -> None:
        """Show the progress until cancelled; the last state is always shown."""
        if self._quiet:
            return
        bar: tqdm[Any] = tqdm(
            file=self._stream,
            disable=not self._terminal,
            dynamic_ncols=True,
            bar_format="{desc}",
            leave=True,
        )
        # the log goes above the line, not through it
        with logging_redirect_tqdm() if self._terminal else nullcontext():
            try:
                while True:
                    self._show(bar)
                    await asyncio.sleep(EVERY if self._terminal else EVERY_IN_LOG)
            finally:
                self._show(bar)
                bar.close()

    def _show(self, bar: "tqdm[Any]") -> None:
        now = self._look()
        if self._terminal:
            # the last column stays free: what is written there wraps on some terminals
            bar.set_description_str(fitted(now, shutil.get_terminal_size().columns - 1))
            return
        lines = list(self._news())
        if (line := whole(now)) != self._said:
            self._said = line
            lines.append(line)
        if lines:
            self._stream.write("".join(f"{line}\n" for line in lines))
            self._stream.flush()


PATIENCE = 2.0
"""Seconds that something may take without a word."""


def counted(what: str, *, quiet: bool, unit: str = "rows") -> Callable[[Iterable[T]], Iterable[T]]:
    """Make a wrapper for an iterable that counts its items on a terminal, when it takes long.

    Args:
        what: the verb.
        unit: what is counted.
    """

    def through(items: Iterable[T]) -> Iterable[T]:
        total = len(items) if isinstance(items, Sized) else None
        return tqdm(
            items, what, total, leave=False, file=sys.stderr, delay=PATIENCE, unit=f" {unit}",
            disable=True if quiet else None, dynamic_ncols=True,
        )  # fmt: skip

    return through


def above_the_bar(say: Callable[[str], None]) -> Callable[[str], None]:
    """Return a ``say`` that removes the bar first and draws it again."""

    def said(text: str) -> None:
        with tqdm.external_write_mode(file=sys.stderr):
            if sys.stderr.isatty():  # the terminal has echoed ^C behind the line
                blank = " " * (shutil.get_terminal_size().columns - 1)
                sys.stderr.write(f"\r{blank}\r")
            say(text)

    return said
