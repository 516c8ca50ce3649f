"""What an answer means for the turns after it."""

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from support.clock import HandClock
from support.policies import policy
from support.provider import ScriptedProvider

from jobs.evidence.looked_for import LookedFor
from jobs.model.provider import Accepted, InDoubt, RefusalCause, Refused, Throttled, Unsent
from jobs.ports.purchases import Answer
from jobs.runtime.pace import Durations
from jobs.services.answers import Answers

VOIDED = 4
"""A row of which an attempt counts as never made."""


class Purchases:
    """Remembers what was known when an answer was written."""

    def __init__(self, looked_for: LookedFor) -> None:
        self._looked_for = looked_for
        self.written: list[tuple[Answer, frozenset[int]]] = []

    def voided(self, since: datetime) -> Sequence[int]:
        del since
        return [VOIDED]

    async def settle(self, answer: Answer) -> bool:
        self.written.append((answer, self._looked_for.again))
        return True


def kept(outcome: Any) -> tuple[Answer, frozenset[int]]:
    """Keep an answer; returns it as it is written, and the rows that are looked for again then."""
    looked_for = LookedFor()
    purchases = Purchases(looked_for)
    context: Any = SimpleNamespace(
        store=SimpleNamespace(purchases=purchases),
        clock=HandClock(),
        policy=policy(),
        durations=Durations(),
        provider=ScriptedProvider(HandClock()),
        looked_for=looked_for,
        token=None,
        chance=random.Random(1),
    )
    balance: Any = SimpleNamespace()
    claim: Any = SimpleNamespace(attempt_id=3, kind="fake/sora/10")
    answers = Answers(context, balance)
    answers._blame = SimpleNamespace(put_back=lambda: [7])  # type: ignore[assignment]
    asyncio.run(answers.keep(claim, outcome))
    (written,) = purchases.written
    return written


@pytest.mark.parametrize(
    "outcome",
    [
        Throttled(None),
        Unsent("no connection", unreachable=True),
        Refused(RefusalCause.FUNDS, "402"),
    ],
)
def test_voids_are_looked_for_before_an_answer_lets_a_row_be_bought_again(outcome: Any) -> None:
    """A turn in the same transaction could claim the row else, and pay for it twice."""
    assert kept(outcome)[1] == {VOIDED}


@pytest.mark.parametrize("outcome", [Accepted("g", 1), InDoubt("502")])
def test_an_answer_after_which_nothing_is_sent_again_asks_for_no_look(outcome: Any) -> None:
    """What was accepted, or is in doubt, is not queued."""
    assert kept(outcome)[1] == set()


def test_only_a_sure_refusal_puts_rows_back() -> None:
    """Else what is remembered of a streak would be used up by an answer that ends none."""
    assert kept(Refused(RefusalCause.ACCOUNT, "banned"))[0].put_back == [7]
    assert not kept(Refused(RefusalCause.ACCOUNT, "banned", sure=False))[0].put_back
    assert not kept(Throttled(None))[0].put_back


def test_an_acceptance_is_looked_at_after_the_pace_of_its_kind() -> None:
    """The time of the first look goes with the answer."""
    assert kept(Accepted("g", 1))[0].first_look > timedelta(0)
