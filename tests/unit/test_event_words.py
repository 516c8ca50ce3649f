"""Events in words, and those of them that stand in a run's log."""

import asyncio
import io
from datetime import UTC, datetime

import pytest

from batchsora.presentation.event_words import event_words
from batchsora.presentation.progress_line import Standing
from batchsora.usecases.progress import Progress
from jobs.model.money import Micros
from jobs.model.states import FailureKind, Reason
from jobs.ports.events import BatchEvent, BatchFact, Event, JobEvent, JobFact, RunEvent, RunFact

AT = datetime(2026, 1, 1, tzinfo=UTC)


def job(fact: JobFact, kind: FailureKind | None = None, error: str | None = None) -> JobEvent:
    price = Micros(120_000)
    return JobEvent(1, AT, fact, 1, 2, "night", "r7", 8, 3, "gen-1", price, kind, error)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (job(JobFact.COMPLETED), "r7 completed"),
        (
            job(JobFact.FAILED, FailureKind.CONTENT, "not\n this"),
            "r7 failed (content): not this",
        ),
        (
            job(JobFact.RETRYING, FailureKind.SYSTEM, "busy"),
            "r7 failed and is bought again (system): busy",
        ),
        (
            job(JobFact.PAID_TWICE),
            "r7 was paid for twice: a request that counted as never made was made after all, $0.12",
        ),
        (
            BatchEvent(
                1, AT, BatchFact.BUDGET_REACHED, 1, "night", waiting_for="budget of the day"
            ),
            "night: budget reached; waiting for budget of the day",
        ),
        (
            BatchEvent(1, AT, BatchFact.WAITING, 1, None, waiting_for="the API"),
            "a removed batch: waiting for the API",
        ),
        (job(JobFact.FAILED, FailureKind.SYSTEM, "x" * 9999), f"r7 failed (system): {'x' * 300}…"),
        (
            RunEvent(1, AT, RunFact.ENDED, Reason.TOKEN, "401"),
            "a run ended: the token was refused: 401",
        ),
        (RunEvent(1, AT, RunFact.CUT_OFF), "a run was cut off; the next one took over"),
    ],
)
def test_an_event_is_one_line(event: Event, words: str) -> None:
    assert event_words(event) == words


@pytest.mark.parametrize("fact", [*JobFact])
def test_every_fact_of_a_job_has_words(fact: JobFact) -> None:
    assert event_words(job(fact)).startswith("r7 ")


@pytest.mark.parametrize("reason", [*Reason, None])
def test_every_end_of_a_run_has_words(reason: Reason | None) -> None:
    assert event_words(RunEvent(1, AT, RunFact.ENDED, reason)).startswith("a run ")


def shown(stream: io.StringIO) -> str:
    """Show a progress until it is cancelled, after its first look."""
    news = iter([["r1 failed"], []])

    async def main() -> None:
        progress = Progress(lambda: Standing(1, 2, [["words"]]), stream, news=lambda: next(news))
        task = asyncio.create_task(progress.run())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    return stream.getvalue()


def test_a_log_has_what_failed_before_the_counts() -> None:
    assert shown(io.StringIO()) == "r1 failed\n1/2 words\n"


def test_a_terminal_has_the_bar_alone() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert "r1 failed" not in shown(Terminal())
