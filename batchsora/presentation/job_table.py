"""A list of jobs for people: a line for each, with a head and cut to the width on a terminal."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from batchsora import advice
from batchsora.presentation import held
from batchsora.presentation.json_shapes import near, said_words
from batchsora.presentation.terminal_text import cells, clean, state_text
from jobs.model.money import usd_text
from jobs.model.states import JobState
from jobs.ports.seen import JobRow

LONGEST_KEY: Final = 20  # cells of the column with the jobs' names
STATE: Final = 11  # cells of the longest state, "unconfirmed"
PRICE: Final = 6
WIDE: Final = 100  # cells from which prompt and result stand side by side
LEAST: Final = 10  # cells of a column below which it says nothing


def table_text(jobs: Sequence[JobRow], width: int | None) -> str:
    """Return a list of jobs; without a width (no terminal) plain lines, whole, without a head."""
    if not jobs:
        return "no matching jobs"
    if width is None:
        return "\n".join(map(plain_line, jobs))
    return "\n".join(_lines(jobs, width))


def plain_line(job: JobRow) -> str:
    """Return one job in a line for other programs, which find all of a name or file in it."""
    shown = note(job) or (near(job.file) if job.file and job.sha256 else job.prompt)
    head = f"{job.key:20} {state_text(job.state):11} {_price(job):>6}  "
    return head + " ".join(shown.split())


@dataclass(frozen=True, slots=True)
class Layout:
    """The widths of a table's columns, in cells of the terminal."""

    row: int
    key: int
    width: int

    @property
    def head(self) -> int:
        """Return the width of all columns before the prompt."""
        return self.row + 2 + self.key + 1 + STATE + 1 + PRICE + 2

    @property
    def result(self) -> int:
        """Return the width of the last column; 0 where it stands below the prompt."""
        return (self.width - self.head) // 2 if self.width >= WIDE else 0

    def line(self, row: str, key: str, state: str, price: str, prompt: str, result: str) -> str:
        """Return one line of the table."""
        left = max(self.width - self.head, LEAST)
        parts = [f"{row:>{self.row}}  ", fit(key, self.key), " ", fit(state, STATE)]
        parts += [f" {price:>{PRICE}}  "]
        if self.result:
            parts += [fit(prompt, left - self.result - 2), "  ", fit(result, self.result)]
        else:
            parts += [fit(prompt, left)]
        return "".join(parts).rstrip()


def layout_of(jobs: Sequence[JobRow], width: int) -> Layout:
    """Return the widths of a list's columns."""
    longest = max((cells(clean(" ".join(job.key.split()))) for job in jobs), default=0)
    most = min(LONGEST_KEY, max(width // 5, LEAST))
    row = max(3, *(len(str(job.row)) for job in jobs))
    return Layout(row, min(max(longest, 3), most), width)


def job_lines(job: JobRow, layout: Layout) -> Iterator[str]:
    """Yield one job's line; where it is narrow, what became of it stands below its prompt."""
    what = note(job)
    file = near(job.file) if job.file and job.sha256 else ""
    yield layout.line(
        str(job.row), job.key, state_text(job.state), _price(job), job.prompt, what or file
    )
    if what and not layout.result:
        indent = min(layout.head, layout.width // 3)
        yield " " * indent + fit(what, max(layout.width - indent, LEAST)).rstrip()


def _lines(jobs: Sequence[JobRow], width: int) -> Iterator[str]:
    layout = layout_of(jobs, width)
    several = len({job.batch for job in jobs}) > 1
    yield layout.line("row", "job", "state", "price", "prompt", "file, or what happened")
    batch = None
    for job in jobs:
        if several and job.batch != batch:
            batch = job.batch
            yield f"batch {fit(batch, width - 6).rstrip()}"
        yield from job_lines(job, layout)
    failed = Counter(job.error_kind for job in jobs if job.error_kind and _has_failed(job))
    if failed:
        yield ""
        names = {job.batch for job in jobs if _has_failed(job)}
        yield from advice.of_failures(failed, names.pop() if len(names) == 1 else None)


def note(job: JobRow) -> str:
    """Return what there is to know of a job besides its state; empty if nothing is."""
    if _has_failed(job):
        return f"{job.error_kind}: {job.error or 'no reason given'}"
    if (why := held.words_of(job)) is not None:
        return why
    if job.state == JobState.IN_DOUBT:
        return f"{job.attempt_error} (sent {job.intent_at:%H:%M:%S} UTC)"
    return said_words(job) or _progress(job)


def _progress(job: JobRow) -> str:
    if job.state == JobState.PENDING and job.queue_position is not None:
        return f"position {job.queue_position} in the queue"
    if job.state == JobState.PROCESSING and job.percent is not None:
        return f"{job.percent} %"
    return ""


def _has_failed(job: JobRow) -> bool:
    return bool(job.state == JobState.FAILED)


def _price(job: JobRow) -> str:
    return usd_text(job.charged_micros) if job.charged_micros else "-"


def fit(text: str, width: int) -> str:
    """Return a text as wide on a terminal as its column; some characters take two cells."""
    from rich.cells import set_cell_size  # noqa: PLC0415 - for those who see a table

    line = clean(" ".join(text.split()))
    if cells(line) > width:
        # the cut may go through an emoji that is joined of several
        line = set_cell_size(line, width - 1).rstrip(" \u200d") + "…"
    return set_cell_size(line, width)
