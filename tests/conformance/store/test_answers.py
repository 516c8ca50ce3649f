"""Answers to submissions: each moves job, attempt and money together, and lands once."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from support.engine import spec
from support.steps import PRICE, Steps

from jobs.evidence.blame import Heard
from jobs.model.money import Micros
from jobs.model.provider import (
    About,
    Accepted,
    InDoubt,
    RefusalCause,
    Refused,
    Rejected,
    SubmitOutcome,
    Throttled,
    Unsent,
)
from jobs.model.states import FailureKind
from jobs.ports.purchases import Answer

BLUR = Rejected(FailureKind.CONTENT, "a blurred face")


ENDS: dict[str, tuple[SubmitOutcome, str, str, tuple[int, int]]] = {
    "accepted": (Accepted("g", Micros(PRICE)), "pending", "accepted", (PRICE, 0)),
    "accepted, dearer": (Accepted("g", Micros(200_000)), "pending", "accepted", (200_000, 0)),
    "accepted, no price": (Accepted("g", None), "pending", "accepted", (PRICE, 0)),
    "rejected": (BLUR, "failed", "rejected", (0, 0)),
    "not sent": (Unsent("no route", unreachable=True), "queued", "rejected", (0, 0)),
    "throttled": (Throttled(30.0), "queued", "rejected", (0, 0)),
    "refused": (Refused(RefusalCause.FUNDS, "no money"), "queued", "rejected", (0, 0)),
    "in doubt": (InDoubt("no answer"), "in_doubt", "in_doubt", (0, PRICE)),
}


@pytest.mark.parametrize(("outcome", "job", "attempt", "money"), ENDS.values(), ids=ENDS)
def test_an_answer_moves_job_attempt_and_money_together(
    steps: Steps, outcome: SubmitOutcome, job: str, attempt: str, money: tuple[int, int]
) -> None:
    steps.load("a")
    steps.begin()
    claim = steps.claim()["a"]
    assert steps.settle(claim, outcome)
    assert steps.states() == {"a": job}
    (written,) = steps.attempts("a")
    assert written.state == attempt
    assert steps.money() == money
    assert steps.store.account.charged() == money[0]
    assert written.price_estimated is (isinstance(outcome, Accepted) and outcome.price is None)


@pytest.mark.parametrize("first", ENDS)
@pytest.mark.parametrize("second", ["accepted", "rejected", "in doubt", "not sent"])
def test_a_second_answer_moves_no_money_again(steps: Steps, first: str, second: str) -> None:
    """Only a doubt is settled by an acceptance that comes after all."""
    steps.load("a")
    steps.begin()
    claim = steps.claim()["a"]
    steps.settle(claim, ENDS[first][0])
    landed = steps.settle(claim, ENDS[second][0])
    late = (first, second) == ("in doubt", "accepted")
    _, job, attempt, money = ENDS["accepted" if late else first]
    assert (steps.states()["a"], steps.attempts("a")[0].state) == (job, attempt)
    assert steps.money() == money
    if second == "accepted":
        assert landed is late


def test_an_acceptance_is_looked_at_when_it_says(steps: Steps) -> None:
    steps.load("a")
    steps.begin()
    name = steps.buy("a")["a"]
    assert steps.store.updates.next_look() == steps.now + timedelta(seconds=30)
    job = steps.job("a")
    assert (job.generation_id, job.attempts, job.charged_micros) == (name, 1, PRICE)


def test_a_generation_that_another_attempt_has_is_a_doubt(steps: Steps) -> None:
    """Never a second acceptance: it would be charged twice for one video."""
    steps.load("a", "b")
    steps.begin()
    claims = steps.claim()
    steps.accept(claims["a"], "gen-x")
    assert not steps.settle(claims["b"], Accepted("gen-x", Micros(PRICE)))
    assert steps.states() == {"a": "pending", "b": "in_doubt"}
    assert steps.money() == (PRICE, PRICE)


def test_a_row_that_was_not_sent_is_sent_again_under_its_key(steps: Steps) -> None:
    """Nothing was made under it, and no attempt is counted; another prompt gets another key."""
    steps.load("a", "b")
    steps.begin()
    first = steps.claim()
    for one in first.values():
        steps.settle(one, Unsent("no route", unreachable=True))
    steps.load("a", spec("b", prompt="another", row=2))
    again = steps.claim()
    assert again["a"].idempotency_key == first["a"].idempotency_key
    assert again["b"].idempotency_key not in {one.idempotency_key for one in first.values()}
    assert [steps.job(key).attempts for key in "ab"] == [1, 1]
    assert [len(steps.attempts(key)) for key in "ab"] == [2, 2]


def test_a_row_that_is_throttled_again_and_again_lets_others_go_first(steps: Steps) -> None:
    steps.load("a", "b")
    steps.begin()
    for _ in range(20):
        ((key, claim),) = steps.claim(1).items()
        if key != "a":
            break
        steps.settle(claim, Throttled(1.0, "slow down"))
        steps.later(minutes=5)
    assert key == "b"
    assert steps.job("a").state == "queued"


def test_a_refusal_that_others_share_is_put_back(steps: Steps) -> None:
    """Its row used up nothing; put back twice, it is queued once."""
    steps.load("a", "b")
    steps.begin()
    claims = steps.claim()
    steps.settle(claims["a"], replace(BLUR, about=About.UNKNOWN))
    number = claims["a"].attempt_id
    assert steps.wait(steps.store.purchases.put_back([])) == 0
    assert steps.wait(steps.store.purchases.put_back([number, claims["b"].attempt_id])) == 1
    assert steps.wait(steps.store.purchases.put_back([number])) == 0
    job = steps.job("a")
    assert (job.state, job.attempts, job.error) == ("queued", 0, None)


def test_an_answer_puts_back_what_it_shows_to_be_no_fault(steps: Steps) -> None:
    steps.load("a", "b")
    steps.begin()
    claims = steps.claim()
    steps.settle(claims["a"], BLUR)
    told = Refused(RefusalCause.ACCOUNT, "the account is suspended")
    steps.settle(claims["b"], told, put_back=[claims["a"].attempt_id])
    assert steps.states() == {"a": "queued", "b": "queued"}
    assert steps.money() == (0, 0)


def test_answers_given_together_stand_or_fail_alone(steps: Steps) -> None:
    """One that can't be written takes no other with it; a cancelled caller's is written."""
    steps.load("a", "b", "c")
    steps.begin()
    claims = steps.claim()

    async def main() -> list[object]:
        def settle(key: str, name: str) -> Any:
            answer = Answer(claims[key].attempt_id, Accepted(name, Micros(PRICE)), steps.now)
            return asyncio.create_task(steps.store.purchases.settle(answer))

        tasks = [settle("a", "g-a"), settle("b", "g-a"), settle("c", "g-c")]
        await asyncio.sleep(0)
        tasks[2].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, second, third = asyncio.run(main())
    assert (first, second) == (True, False)
    assert isinstance(third, asyncio.CancelledError)
    assert steps.states() == {"a": "pending", "b": "in_doubt", "c": "pending"}
    assert steps.money() == (2 * PRICE, PRICE)


def test_no_answer_stands_whose_commit_fails(steps: Steps) -> None:
    """The attempt is still open then, and its money reserved; the answer can be given again."""
    steps.load("a")
    steps.begin()
    claim = steps.claim()["a"]
    with steps.kind.failing_commit(steps.store):
        steps.settle(claim, Accepted("g", Micros(PRICE)))
    assert (steps.states()["a"], steps.attempts("a")[0].state) == ("submitting", "open")
    assert steps.money() == (0, PRICE)
    assert steps.accept(claim, "g") == "g"
    assert steps.money() == (PRICE, 0)


def test_what_a_row_has_heard_before(steps: Steps) -> None:
    """The same refusal of the same request; others that were taken since make it the row's own."""
    steps.load("a", "b")
    steps.begin()
    claims = steps.claim()
    number = claims["a"].attempt_id
    heard = steps.store.purchases.heard
    assert heard(number, BLUR.message) is Heard.NEVER
    steps.settle(claims["a"], BLUR)
    assert not steps.store.purchases.any_taken([number, claims["b"].attempt_id])
    steps.wait(steps.store.purchases.put_back([number]))
    steps.later(hours=2)
    steps.accept(claims["b"])  # what was put back waits until the others have their answers
    again = steps.claim()["a"].attempt_id
    assert heard(again, BLUR.message) is Heard.AND_OTHERS_TAKEN
    assert heard(again, "something else") is Heard.NEVER
    assert steps.store.purchases.any_taken([number, claims["b"].attempt_id])
    assert not steps.store.purchases.any_taken([])
