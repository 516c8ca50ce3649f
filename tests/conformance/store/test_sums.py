"""However steps follow each other, no budget is passed, and sums are those of the attempts."""

import os
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from support.engine import spec
from support.steps import PRICE, Steps
from support.stores import STORES, StoreKind

from jobs.evidence.suspects import Settlement
from jobs.model.money import Micros
from jobs.model.provider import Accepted, Generation, InDoubt, Rejected, SubmitOutcome, Throttled
from jobs.model.states import FailureKind
from jobs.ports.seen import AttemptRow, JobRow
from jobs.ports.selection import Wanted
from jobs.ports.updates import Completed, Failed

KEYS = ("a", "b", "c", "d")
CAP = 5 * PRICE
HOLDING = ("open", "in_doubt")
ANSWERS: dict[str, SubmitOutcome | None] = {
    "accepted": None,  # with a generation of its own
    "rejected": Rejected(FailureKind.CONTENT, "no"),
    "throttled": Throttled(1.0),
    "in doubt": InDoubt("no answer"),
}


class Nights(RuleBasedStateMachine):
    """Nights on one table: any answer, look, settling or word of a person, in any order."""

    kind: StoreKind

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory(dir=os.environ.get("PYTEST_DEBUG_TEMPROOT"))
        folder = Path(self.folder.name)
        self.steps = Steps(self.kind.make(folder), self.kind, folder)
        self.steps.price()
        self.steps.load(*(spec(key, row=n, campaign="k") for n, key in enumerate(KEYS, 1)))
        self.steps.cap(batch=CAP, campaigns={"k": CAP - PRICE})
        self.steps.begin()
        self.made = 0

    def teardown(self) -> None:
        """Close the table."""
        self.steps.close()
        self.folder.cleanup()

    def jobs(self) -> list[JobRow]:
        """Read all jobs."""
        return self.steps.store.queries.jobs(Wanted())

    def attempts(self, state: str) -> list[AttemptRow]:
        """Read the attempts in a state."""
        return [
            one
            for job in self.jobs()
            for one in self.steps.store.queries.attempts_of(job.id)
            if one.state == state
        ]

    def name(self) -> str:
        """Name a new generation."""
        self.made += 1
        return f"made-{self.made}"

    def settle(self, settlement: Settlement, seen: Generation) -> None:
        """Have a settlement written beside what the list shows."""
        self.steps.reconcile(lambda _: settlement, seen)

    @rule(want=st.integers(1, 3))
    def claims(self, want: int) -> None:
        """Take a turn, some minutes later."""
        self.steps.later(minutes=5)
        self.steps.claim(want)

    @rule(answer=st.sampled_from(sorted(ANSWERS)), price=st.sampled_from([PRICE, None]))
    def answers(self, answer: str, price: int | None) -> None:
        """Answer the oldest submission that is open or in doubt."""
        for one in (self.attempts("open") + self.attempts("in_doubt"))[:1]:
            told = None if price is None else Micros(price)
            self.steps.settle(one.id, ANSWERS[answer] or Accepted(self.name(), told))

    @rule(fails=st.booleans(), again=st.booleans())
    def ends(self, *, fails: bool, again: bool) -> None:
        """End the oldest generation."""
        for one in (self.attempts("accepted") + self.attempts("abandoned"))[:1]:
            delay = timedelta(minutes=1) if again else None
            failed = Failed(one.id, FailureKind.SYSTEM, "broken", delay)
            key = next(job.key for job in self.jobs() if job.id == one.job_id)
            self.steps.end(key, failed if fails else Completed(one.id, "http://v"))

    @rule(how=st.sampled_from(["adopt", "void"]))
    def settles(self, how: str) -> None:
        """Settle the oldest doubt."""
        for one in self.attempts("in_doubt")[:1]:
            seen = self.steps.shown(self.name(), one.prompt)
            adopted, void = Settlement(adopt=[(one.id, seen)]), Settlement(void=[one.id])
            self.settle(adopted if how == "adopt" else void, seen)

    @rule()
    def turns_up(self) -> None:
        """Let the oldest void turn up: it was charged, whatever the budget says."""
        for one in self.attempts("void")[:1]:
            seen = self.steps.shown(self.name(), one.prompt)
            self.settle(Settlement(appeared=[(one.id, seen)]), seen)

    @rule(word=st.sampled_from(["retry", "redo", "cancel"]))
    def says(self, word: str) -> None:
        """A person asks for all of one kind."""
        control, numbers = self.steps.store.control, [job.id for job in self.jobs()]
        if word == "retry":
            control.retry(numbers, None, now=self.steps.now)
        elif word == "redo":
            control.redo(numbers, self.steps.now)
        else:
            control.cancel(numbers, self.steps.now)

    @rule()
    def crashes(self) -> None:
        """Another run takes over: what was open is in doubt."""
        self.steps.run_id += "+"
        self.steps.begin()
        assert self.attempts("open") == []

    @precondition(lambda self: self.attempts("open"))
    @rule()
    def can_not_commit(self) -> None:
        """An answer is not written: all is as it was."""
        before = (self.jobs(), self.steps.status())
        with self.kind.failing_commit(self.steps.store):
            self.steps.settle(self.attempts("open")[0].id, Accepted(self.name(), Micros(PRICE)))
        assert (self.jobs(), self.steps.status()) == before

    @invariant()
    def sums_are_those_of_the_attempts(self) -> None:
        """Spent and reserved, of the batch, the campaign and the account."""
        attempts = [
            one for job in self.jobs() for one in self.steps.store.queries.attempts_of(job.id)
        ]
        held = sum(one.hold_micros for one in attempts if one.state in HOLDING)
        charged = sum(one.price_micros or 0 for one in attempts)
        status, ledger = self.steps.status(), self.steps.store.doubts.ledger([])
        campaign = status.campaigns["k"]
        for seen in (status.money, campaign, ledger):
            assert (seen.charged, seen.held) == (charged, held)
        late = sum(one.price_micros or 0 for one in attempts if _turned_up(one))
        assert charged - late + held <= CAP - PRICE
        assert sum(status.jobs.values()) == len(KEYS)
        assert sum(job.charged_micros for job in self.jobs()) == charged


def _turned_up(attempt: AttemptRow) -> bool:
    """Check whether it was charged after its money had been free again."""
    return "turned up after it had counted as never made" in (attempt.error or "")


for _name, _kind in STORES.items():
    _machine = type(f"Nights_{_name}", (Nights,), {"kind": _kind})
    _machine.TestCase.settings = settings(
        max_examples=10, stateful_step_count=25, suppress_health_check=list(HealthCheck)
    )
    globals()[f"Test_{_name}"] = _machine.TestCase
