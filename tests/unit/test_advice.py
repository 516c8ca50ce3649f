"""What to do next comes from one place, and offers no retry that would fail again."""

import re
from pathlib import Path
from typing import Any

import pytest

import batchsora
from batchsora import advice
from batchsora.advice import Again
from jobs.model.retry import RETRIED
from jobs.model.states import AttemptState, FailureKind, HeldBack, JobState
from jobs.ports.seen import JobRow
from tests.support.rows import a_job

PLAIN_RETRY = re.compile(r"batchsora retry (?!.*--prompt)")
FAIL_AGAIN = (FailureKind.VALIDATION, FailureKind.IMAGE, FailureKind.CONTENT)


def failed(kind: FailureKind, attempt: AttemptState = AttemptState.FAILED, **more: Any) -> JobRow:
    return a_job(state=JobState.FAILED, error_kind=kind, attempt_state=attempt, **more)


@pytest.mark.parametrize("kind", list(FailureKind))
def test_every_kind_of_failure_has_advice(kind: FailureKind) -> None:
    """For one job and for many; what is retried automatically may be retried by hand."""
    one, many = advice.of_job(failed(kind)), advice.of_kind(kind, "two words")
    assert one is not None
    assert one.again is many.again
    assert (one.again is Again.FAILS) == (kind in FAIL_AGAIN)
    if kind in RETRIED:
        assert one.command == "batchsora retry r1"
        assert "batchsora retry --batch 'two words'" in many.words


@pytest.mark.parametrize("kind", FAIL_AGAIN)
def test_no_plain_retry_where_it_would_fail_again(kind: FailureKind) -> None:
    """A refused prompt, picture or row is changed first."""
    one = advice.of_job(failed(kind))
    assert one is not None
    assert not PLAIN_RETRY.search(one.words)
    assert one.command is None or "--prompt" in one.command


def test_what_may_still_finish_is_not_bought_again() -> None:
    """A paid attempt is checked; once it was given up, a retry is the way on."""
    waits = advice.of_job(failed(FailureKind.OVERDUE, AttemptState.ACCEPTED))
    given_up = advice.of_job(failed(FailureKind.OVERDUE, AttemptState.ABANDONED))
    assert waits is not None
    assert given_up is not None
    assert (waits.again, waits.command) == (Again.NEEDLESS, "batchsora run")
    assert (given_up.again, given_up.command) == (Again.MAY_HELP, "batchsora retry r1")


@pytest.mark.parametrize("state", list(JobState))
def test_every_state_has_advice(state: JobState) -> None:
    """But a finished video whose file is here."""
    found = advice.of_job(a_job(state=state, error_kind=FailureKind.SYSTEM))
    assert found is not None
    assert advice.of_job(a_job(state=JobState.COMPLETED, sha256="ab")) is None


@pytest.mark.parametrize("reason", list(HeldBack))
def test_rows_that_exist_are_taken_over_first(reason: HeldBack) -> None:
    """Buying again what is paid for is never the first that is named."""
    found = advice.of_job(a_job(state=JobState.QUEUED, held_back=reason))
    assert found is not None
    exists = reason in (HeldBack.EXISTS, HeldBack.PAID_BEFORE, HeldBack.ELSEWHERE)
    assert ("--adopt-existing" in str(found.command)) == exists


def test_the_batch_is_named_where_keys_are_not_alone() -> None:
    """And both are quoted for the shell."""
    found = advice.of_job(
        a_job(key="a b", batch="x y", state=JobState.FAILED, error_kind="content"), batch=True
    )
    assert found is not None
    assert found.command == "batchsora retry 'a b' --batch 'x y' --prompt TEXT"


def test_a_line_for_each_kind_of_failure() -> None:
    """With how many there are."""
    lines = list(advice.of_failures({"system": 2, "content": 1}, "b"))
    assert [line.split(":")[0] for line in lines] == ["1 failed by content", "2 failed by system"]


def test_nobody_else_says_how_to_retry() -> None:
    """A sentence with the command stands in no other module that speaks of failures."""
    folder = Path(batchsora.__file__).parent
    says = {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.suffix in (".py", ".html") and "batchsora retry" in path.read_text("utf-8")
    }
    allowed = {
        "advice.py",
        "cli/control.py",  # its own --help
        "presentation/messages.py",  # cancelled rows of a plan, and what was given up
        "usecases/retry_cancel_abandon.py",  # how to buy unchanged what was left alone
    }
    assert says == allowed
