"""A night step by step: each is one call of a port, at a time that the test says."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from jobs.evidence.account_list import Reading
from jobs.evidence.elsewhere import Elsewhere
from jobs.evidence.looked_for import LookedFor
from jobs.evidence.suspects import Settlement
from jobs.model.money import Micros
from jobs.model.provider import Accepted, Generation, GenerationPhase, InDoubt, SubmitOutcome
from jobs.model.spec import JobSpec, spec_row
from jobs.model.states import HeldBack, Reason
from jobs.ports.account import BalanceRead
from jobs.ports.control import Terms
from jobs.ports.doubts import DoubtDecision, DoubtSnapshot, MoneyBeside, Settled
from jobs.ports.loading import LoadOrder, LoadReport, OnChange
from jobs.ports.purchases import Answer, Claim, ClaimTerms, LeftBehind, Recovery, Turn, TurnTerms
from jobs.ports.seen import AttemptRow, BatchStatus, JobRow
from jobs.ports.selection import Sought, Wanted
from jobs.ports.updates import Completed, Failed, Overdue, Progress, UnendedAttempt, Updates
from support.engine import spec
from support.loop import EPOCH
from support.stores import AnyStore, StoreKind

T = TypeVar("T")
KIND = "fake/sora/10"
"""The price kind of every row that a test loads, unless it says another."""

PRICE = 120_000
"""Micros that it costs."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What a run decides in a turn."""

    waits: Mapping[int, str | None] | None = None
    serving: bool | None = None


@dataclass
class Steps:
    """Drives one job table through its ports.

    Attributes:
        now: the time of the next step; :meth:`later` moves it.
        told: what a settling was remembered with, the last one last.
    """

    store: AnyStore
    kind: StoreKind
    folder: Path
    now: datetime = EPOCH
    run_id: str = "this-run"
    told: list[Settled] = field(default_factory=list)
    elsewhere: Elsewhere = field(default_factory=Elsewhere)
    looked_for: LookedFor = field(default_factory=LookedFor)
    _names: Any = field(default_factory=lambda: count(1))
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def wait(self, step: Coroutine[Any, Any, T]) -> T:
        """Wait for a step; all share one event loop, as a new one takes longer than most."""
        return self._loop.run_until_complete(step)

    def close(self) -> None:
        """Close the job table."""
        self.store.close()
        self._loop.close()

    def later(self, **time: float) -> datetime:
        """Let time pass, as :class:`datetime.timedelta` names it; returns the new time."""
        self.now += timedelta(**time)
        return self.now

    # -- rows come in

    def stage(self, *specs: JobSpec, kind: str = KIND) -> int:
        """Stage rows, each of one price kind."""
        return self.store.loading.stage(spec_row(one, kind) for one in specs)

    def load(
        self,
        *rows: JobSpec | str,
        batch: str = "night",
        kind: str = KIND,
        said: Terms | None = None,
        asked: bool = True,
        agree: Callable[[LoadReport], object] = lambda _: None,
        **order: Any,
    ) -> LoadReport:
        """Load rows, by key where that is all that matters, and ask for them."""
        specs = [
            spec(one, row=number) if isinstance(one, str) else one
            for number, one in enumerate(rows, 1)
        ]
        self.stage(*specs, kind=kind)
        usual = LoadOrder(
            name=None,
            default_name=batch,
            source=f"/m/{batch}.csv",
            columns=("id", "prompt"),
            reading=None,
            on_change=OnChange.STOP,
            whole=True,
            held_back=HeldBack.UNASKED,
        )
        order_of = replace(usual, **order)
        report, _ = self.store.loading.load(order_of, said or Terms(), self.now, agree)
        if asked:
            sought = Sought([report.batch_id])
            self.store.control.ask_for(sought, self.now, again=False)
        return report

    def cap(self, batch_id: int = 1, **said: Any) -> None:
        """Say what may be spent."""
        self.store.control.set_terms(batch_id, Terms(**said), self.now)

    def price(self, kind: str = KIND, price: int = PRICE) -> None:
        """Announce what a kind costs."""
        self.store.control.announce_prices({kind: price}, self.now)

    # -- the run that buys

    def begin(self, *batch_ids: int) -> Recovery:
        """Take the job table over, and serve batches."""
        found = self.store.purchases.take_over(self.run_id, self.now, None)
        self.store.purchases.serve(batch_ids or (1,), self.now)
        return found

    def turn(
        self,
        want: int = 100,
        *,
        window: int = 100,
        ceiling: int = 1_000_000,
        decided: Decided | None = None,
        keep: Callable[[Turn, Decided], None] = lambda *_: None,
        **terms: Any,
    ) -> Turn:
        """Take one turn; ``want=0`` buys nothing."""
        claim = ClaimTerms(
            window, want, ceiling, timedelta(seconds=10), self.elsewhere, self.looked_for
        )
        fields = {"now": self.now, "run_id": self.run_id, "new_key": self._key} | terms
        asked = TurnTerms(claim=claim if want else None, **fields)
        answer = decided or Decided()
        seen, _ = self.wait(self.store.purchases.turn(asked, lambda _: answer, keep))
        return seen

    def _key(self) -> str:
        return f"key-{next(self._names)}"

    def claim(self, want: int = 100, **terms: Any) -> dict[str, Claim]:
        """Take a turn, and return what was claimed by the jobs' keys."""
        return {one.job_key: one for one in self.turn(want, **terms).claimed.claims}

    def settle(self, claim: Claim | int, outcome: SubmitOutcome, **answer: Any) -> bool:
        """Write an answer down."""
        number = claim if isinstance(claim, int) else claim.attempt_id
        return self.wait(self.store.purchases.settle(Answer(number, outcome, self.now, **answer)))

    def accept(self, claim: Claim | int, name: str = "", price: int | None = PRICE) -> str:
        """Write an acceptance down; returns the generation's name."""
        name = name or f"gen-{next(self._names)}"
        told = None if price is None else Micros(price)
        assert self.settle(claim, Accepted(name, told), first_look=timedelta(seconds=30))
        return name

    def buy(self, *keys: str, **terms: Any) -> dict[str, str]:
        """Claim all that may be bought, and have it accepted; returns generations by key."""
        claims = self.claim(**terms)
        assert not keys or set(claims) == set(keys)
        return {key: self.accept(one) for key, one in claims.items()}

    def lose(self, *keys: str, **terms: Any) -> dict[str, int]:
        """Claim all that may be bought, and lose each answer; returns attempts by key."""
        claims = self.claim(**terms)
        assert not keys or set(claims) == set(keys)
        for one in claims.values():
            assert self.settle(one, InDoubt("the connection dropped"))
        return {key: one.attempt_id for key, one in claims.items()}

    def leave(self, turned_up: Collection[int] = ()) -> LeftBehind:
        """End the run."""
        return self.store.purchases.leave(self.run_id, self.now, None, turned_up, Reason.FINISHED)

    # -- looks

    def record(
        self, names: Sequence[str], decide: Callable[[Mapping[str, UnendedAttempt]], Updates]
    ) -> Updates:
        """Write down what looks at generations showed."""
        return self.wait(self.store.updates.record(names, self.now, decide))

    def end(self, key: str, end: Completed | Failed | Overdue | None = None) -> int:
        """End the last attempt of a job, by default as a video; returns the attempt."""
        number = self.job(key).attempt_id
        assert number is not None
        done = end or Completed(number, f"http://videos/{number}.mp4")
        self.record([], lambda _: Updates([done]))
        return number

    def go_on(self, name: str, next_look: datetime, **seen: Any) -> None:
        """Write down that a generation is being made."""
        shown = Generation(name, seen.pop("phase", GenerationPhase.PROCESSING), **seen)
        self.record([name], lambda ours: Updates(progress=[Progress(ours[name], shown, next_look)]))

    # -- doubts and the balance

    def reconcile(
        self,
        decide: Callable[[DoubtSnapshot], Settlement] = lambda _: Settlement(),
        *shown: Generation,
        money: MoneyBeside | None = None,
        most_voids: int = 5,
        lag: float | None = None,
    ) -> Settled:
        """Settle by a whole reading of the list; returns what is remembered."""
        self.wait(self.reconciling(decide, *shown, money=money, most_voids=most_voids, lag=lag))
        return self.told[-1]

    def reconciling(
        self,
        decide: Callable[[DoubtSnapshot], Settlement],
        *shown: Generation,
        money: MoneyBeside | None = None,
        most_voids: int = 5,
        lag: float | None = None,
    ) -> Coroutine[Any, Any, None]:
        """Return the settling itself, to be awaited by the test."""
        reading = Reading("sora", shown, self.now, whole=True, to_the_end=True)
        return self.store.doubts.settle(
            reading,
            self.now,
            money,
            lambda seen: DoubtDecision(decide(seen), "never made", most_voids, lag),
            lambda _, settled: self.told.append(settled),
        )

    def void(self, key: str) -> int:
        """Settle the doubt of a job as never made, as the list shows it; returns the attempt."""
        number = self.job(key).attempt_id
        assert number is not None
        assert self.reconcile(lambda _: Settlement(void=[number])).voided == [number]
        return number

    def shown(self, name: str, prompt: str = "", **fields: Any) -> Generation:
        """Return a generation as the list shows it."""
        usual = {"phase": GenerationPhase.PROCESSING, "created_at": self.now}
        return Generation(name, prompt=prompt or None, **(usual | fields))

    def balance(self, micros: int, mark: int | None = None, **read: Any) -> bool:
        """Keep a reading of the balance."""
        seen = self.store.account.charged() if mark is None else mark
        return self.wait(
            self.store.account.record_balance(BalanceRead(micros, seen, self.now, **read))
        )

    # -- what there is

    def job(self, key: str, batch: str | None = None) -> JobRow:
        """Read a job."""
        return self.store.queries.job(key, batch)

    def number(self, *keys: str) -> list[int]:
        """Return the numbers of jobs."""
        return [self.job(key).id for key in keys]

    def attempts(self, key: str) -> list[AttemptRow]:
        """Read the attempts of a job."""
        return self.store.queries.attempts_of(self.job(key).id)

    def status(self, name: str = "night") -> BatchStatus:
        """Sum a batch up."""
        (batch,) = self.store.queries.batches(name)
        return self.store.queries.status(batch)

    def money(self, name: str = "night") -> tuple[int, int]:
        """Return what a batch has spent and what is reserved, in micros."""
        money = self.status(name).money
        return money.charged, money.held

    def states(self, name: str = "night") -> dict[str, str]:
        """Map the jobs of a batch to their states."""
        return {one.key: one.state for one in self.store.queries.jobs(Wanted(batch=name))}

    def elsewhere_seen(self) -> AnyStore:
        """Open the job table once more, as another process does."""
        return self.kind.open(self.folder)
