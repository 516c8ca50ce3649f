from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.model.provider import RefusalCause
from jobs.model.states import Blocked, Reason
from jobs.ports.purchases import Breach, Lost, Outstanding
from jobs.services.run_outcome import Situation, verdict

NOTHING = Outstanding()
QUIET = Situation(
    NOTHING,
    {},
    overdue_looks=False,
    resolvable=0,
    crowded=False,
    waits_for_funds=False,
    stopping=False,
    out_of_reach=False,
    refusal=None,
    refusal_message="",
)

LATER = datetime(2026, 1, 5, 3, tzinfo=UTC)
COUNTS = st.integers(0, 2)
SITUATIONS = st.builds(
    Situation,
    st.builds(
        Outstanding, ready=st.booleans(), sending=COUNTS, pending=COUNTS, in_doubt=COUNTS,
        next_due=st.none() | st.just(LATER),
    ),
    st.none() | st.just({1: frozenset({Blocked.BATCH_CAP})}),
    overdue_looks=st.booleans(),
    resolvable=COUNTS,
    crowded=st.booleans(),
    waits_for_funds=st.booleans(),
    stopping=st.booleans(),
    out_of_reach=st.booleans(),
    refusal=st.none() | st.sampled_from(RefusalCause),
    refusal_message=st.just("words"),
)  # fmt: skip


@given(SITUATIONS)
def test_an_answer_under_way_is_always_waited_for(now: Situation) -> None:
    """Whatever else holds, a run does not end while a POST's outcome is not written down."""
    if now.outstanding.sending:
        assert verdict(now) is None


@given(SITUATIONS)
def test_what_is_paid_for_is_polled_to_its_end(now: Situation) -> None:
    """Only a person, a refused token, a wrong address or silence leaves a paid video pending.

    The same holds for a doubt that the list may still settle.
    """
    ending = verdict(now)
    if ending is not None and (now.outstanding.pending or now.resolvable):
        assert ending.reason in (
            Reason.INTERRUPTED,
            Reason.TOKEN,
            Reason.ADDRESS,
            Reason.UNREACHABLE,
        )


@given(SITUATIONS)
def test_finished_means_that_nothing_is_left_to_buy(now: Situation) -> None:
    """A run never calls itself finished over queued jobs."""
    ending = verdict(now)
    if ending is not None and ending.reason is Reason.FINISHED:
        assert not now.outstanding.ready
        assert now.outstanding.next_due is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, Reason.FINISHED),
        ({"stopping": True}, Reason.INTERRUPTED),
        ({"breach": Breach(Path("a.db"), Lost.GONE), "stopping": True}, Reason.DATABASE),
        ({"refusal": RefusalCause.TOKEN}, Reason.TOKEN),
        ({"refusal": RefusalCause.FUNDS}, Reason.FUNDS),
        ({"out_of_reach": True}, Reason.UNREACHABLE),
        ({"outstanding": replace(NOTHING, ready=True)}, Reason.BLOCKED),
        ({"outstanding": replace(NOTHING, next_due=LATER)}, None),
        ({"outstanding": replace(NOTHING, ready=True), "blocked": None}, None),
        ({"overdue_looks": True}, None),
        ({"outstanding": replace(NOTHING, in_doubt=2)}, Reason.FINISHED),
    ],
)
def test_each_reason_to_end(changes: dict[str, object], reason: Reason | None) -> None:
    """One reason at a time, and the ones that mean going on."""
    ending = verdict(replace(QUIET, **changes))
    assert (None if ending is None else ending.reason) == reason
