"""One calm bar for a run: jobs done, money spent against the cap, counts by state."""

import asyncio
import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, TextIO

from sqlalchemy import Connection
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from jobs.money import usd_text
from jobs.states import JobState
from jobs.store import Store, views
from jobs.store.views import BatchStatus

EVERY = 0.5
"""Seconds between two looks on a terminal."""

EVERY_IN_LOG = 30.0
"""Seconds between two lines in a log file."""

_SHOWN = (
    (JobState.QUEUED, "queued"),
    (JobState.IN_DOUBT, "in doubt"),
    (JobState.PENDING, "pending"),
    (JobState.PROCESSING, "processing"),
    (JobState.FAILED, "failed"),
)


def summary(batches: list[BatchStatus]) -> str:
    """Say in a few words where batches stand."""
    spent = sum(batch.money.charged + batch.money.held for batch in batches)
    caps = [batch.money.cap for batch in batches]
    money = f"${usd_text(spent)}"
    if caps and None not in caps:
        money += f"/${usd_text(sum(cap for cap in caps if cap is not None))}"
    counts = [
        f"{count} {name}"
        for state, name in _SHOWN
        if (count := sum(batch.jobs[state] for batch in batches))
    ]
    waiting = [batch.waiting_for for batch in batches if batch.waiting_for]
    if waiting:
        counts.append(f"waits for {waiting[0]}")
    return ", ".join([money, *counts])


class Progress:
    """Shows a run on stderr until cancelled.

    Args:
        store: read twice a second: the table is the truth, also of what others do.
        batch_ids: whose progress.
        stream: stderr by default; a terminal gets a bar, anything else a line now and then.
    """

    def __init__(self, store: Store, batch_ids: list[int], stream: TextIO | None = None) -> None:
        self._store = store
        self._batch_ids = batch_ids
        self._stream = sys.stderr if stream is None else stream
        self._terminal = self._stream.isatty()

    async def run(self) -> None:
        """Show the progress until cancelled; the last state is always shown."""
        bar: tqdm[Any] = tqdm(
            total=0,
            unit="video",
            file=self._stream,
            disable=not self._terminal,
            dynamic_ncols=True,
            bar_format="{n_fmt}/{total_fmt} |{bar:12}| {elapsed} {desc}",
            leave=True,
        )
        # the log goes above the bar, not through it
        with logging_redirect_tqdm() if self._terminal else nullcontext():
            try:
                while True:
                    self._show(bar)
                    await asyncio.sleep(EVERY if self._terminal else EVERY_IN_LOG)
            finally:
                self._show(bar)
                bar.close()

    def _show(self, bar: "tqdm[Any]") -> None:
        batches = statuses(self._store, self._batch_ids)
        done = sum(batch.total - batch.left for batch in batches)
        total = sum(batch.total for batch in batches)
        if self._terminal:
            bar.total, bar.n = total, done
            bar.set_description_str(summary(batches), refresh=False)
            bar.refresh()
        else:
            self._stream.write(f"{done}/{total} {summary(batches)}\n")
            self._stream.flush()


def above_the_bar(say: Callable[[str], None]) -> Callable[[str], None]:
    """Make a way to say something that takes the bar away first and draws it again after."""

    def said(text: str) -> None:
        with tqdm.external_write_mode(file=sys.stderr):
            say(text)

    return said


def statuses(store: Store, batch_ids: list[int]) -> list[BatchStatus]:
    """Sum some batches up."""

    def work(connection: Connection) -> list[BatchStatus]:
        return [
            views.batch_status(connection, batch)
            for batch in views.find_batches(connection)
            if batch.id in batch_ids
        ]

    return store.read(work)
