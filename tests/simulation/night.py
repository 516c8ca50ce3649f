"""One simulated night: a random manifest, caps, faults and crashes, all from one seed."""

import asyncio
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from support.blank import blank
from support.engine import spec
from support.loop import EPOCH

from batchsora.sandbox.faults import Faults
from batchsora.sandbox.world import World
from jobs.ending import Ending, Reason
from jobs.errors import DatabaseUnusableError, NotAllowedError
from jobs.ledger import batch_key, campaign_key
from jobs.policy import RunPolicy
from jobs.provider import ProviderError
from jobs.resolve import resolve_as, resolve_never_made
from jobs.retry import RetryPolicy
from jobs.runner import Owner, Runner
from jobs.spec import JobSpec
from jobs.states import JobState
from jobs.store import Store, accounts, batches, loading, steering, views
from simulation.mutants import STORES
from simulation.process import Crash, SimClock, WatchedStore, live
from simulation.watch import Watcher
from simulation.world import Account, Client

GRACE = 20.0
LONGEST = 45.0
"""Seconds that a generation takes at most in here."""

DEEDS = ("cancel", "retry", "resolve", "resolve", "pause", "load", "cap")
"""What people do meanwhile, from another terminal."""

RUNS = 12
"""Runs after the last crash, at most, until nothing is left to do."""


@dataclass
class Outcome:
    """What a night came to, for the sum of a soak."""

    seed: int
    jobs: int = 0
    attempts: int = 0
    posts: int = 0
    crashes: int = 0
    commits: int = 0
    doubts: int = 0
    adopted: int = 0
    voided: int = 0
    left_in_doubt: int = 0
    states: Counter[str] = field(default_factory=Counter)


class Night:
    """Everything that happens in one seed.

    Args:
        seed: of all chance.
        folder: where the database lies.
    """

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed = seed
        self.path = folder / "night.db"
        self.chance = random.Random(seed)
        self.clock = SimClock(EPOCH)
        self.outcome = Outcome(seed)
        self.specs = self._manifest()
        self.account = self._account()
        self.watcher = Watcher(self.account)
        self.account.on_made = self.watcher.made
        self.policy = self._policy()
        self.operators = self.chance.random() < 0.5
        self.jumps = self.chance.random() < 0.25

    def _manifest(self) -> list[JobSpec]:
        chance = self.chance
        prompts = [f"a heron in reeds, no. {n}" for n in range(chance.randint(3, 10))]
        if chance.random() < 0.4:
            prompts += [chance.choice(prompts)] * chance.randint(1, 6)
        if chance.random() < 0.2:
            prompts += ["Crème  brûlée in the sun"] * chance.randint(1, 4)
        chance.shuffle(prompts)
        durations = chance.choice([[10], [10, 10, 10, 15], [15]])
        campaigns = chance.choice([[None], [None, "summer", "winter"]])
        return [
            spec(
                f"r{n}",
                prompt,
                row=n,
                duration=chance.choice(durations),
                campaign=chance.choice(campaigns),
                priority=chance.choice([0, 0, 0, 5]),
            )
            for n, prompt in enumerate(prompts)
        ]

    def _account(self) -> Account:
        chance = self.chance
        calm = chance.random() < 0.15
        rates = {
            name: 0.0 if calm else chance.choice([0.0, 0.1, 0.1 if name == "throttle" else 0.3])
            for name in ("drop", "lost", "error", "broken", "late", "throttle", "garbled")
        }
        scale = max(1.0, sum(rates.values()) / 0.9)
        faults = Faults(**{name: rate / scale for name, rate in rates.items()})
        unique = [p for p, n in Counter(s.request.prompt for s in self.specs).items() if n == 1]
        fail = chance.choice([0.0, 0.0, 0.2])
        # what a retry meets in here within seconds, others' work of its prompt, takes hours in life
        shared = chance.random() < 0.4 and not fail
        twins = frozenset(chance.sample(unique, min(len(unique), 2)) if shared else ())
        world = World(
            seed=self.seed,
            time_scale=900.0 / LONGEST,
            balance=chance.choice([100_000_000, 100_000_000, 1_500_000]),
            fail=fail,
        )
        for prompt in unique[:2]:
            if chance.random() < 0.3:  # somebody made the same long ago
                world.add_foreign(prompt, EPOCH - timedelta(days=3))
        skew = chance.choice([0, 0, 0, -7, 40, -18_000])
        lag = chance.choice([0.0, 0.0, 1.0, 6.0])
        return Account(
            world=world,
            faults=faults,
            chance=random.Random(self.seed + 1),
            now=self.clock.true_now,
            skew=timedelta(seconds=skew),
            lag=lag,
            late_by=GRACE * 0.8 - lag,  # the grace covers both together
            flaky=chance.choice([0.0, 0.0, 0.1, 0.3]),
            on_made=lambda _: None,
            twins=twins,
        )

    def _policy(self) -> RunPolicy:
        chance = self.chance
        return RunPolicy(
            max_in_flight=chance.choice([1, 2, 4, 16]),
            rate=chance.choice([0.0, 1.0, 5.0]),
            poll_interval=3.0,
            generation_timeout=chance.choice([LONGEST * 2, LONGEST * 2, LONGEST * 0.6]),
            send_patience=5.0,
            balance_interval=30.0,
            grace=GRACE,
            retry=RetryPolicy(chance.choice([0, 2]), base=2.0, ceiling=10.0),
        )

    def play(self) -> Outcome:
        """Live through the night.

        Raises:
            AssertionError: an invariant did not hold.
        """
        blank(self.path)
        crashes = self.chance.choice([0, 1, 1, 2, 3, 4])
        self._load()
        for _ in range(crashes):
            if self._process(dying=True) is None:
                self.outcome.crashes += 1
                self.account.outlive()
            self.clock.leave(self.chance.choice([0.5, 5.0, 30.0, 400.0]))
        ending: Ending | None = None
        for _ in range(RUNS):
            ending = self._process(dying=False)
            assert ending is not None
            self.clock.leave(LONGEST * 2)
            if ending.reason in (Reason.FINISHED, Reason.BLOCKED, Reason.FUNDS):
                break
        with Store(self.path) as store:
            self._sum_up(store, ending)
        return self.outcome

    def _load(self) -> None:
        chance = self.chance
        with WatchedStore(self.path, self.watcher) as store:
            now = self.clock.now()
            store.write(lambda c: self._load_specs(c, self.specs))
            if chance.random() < 0.7:
                prices = {"sim/sora/10": 120_000, "sim/sora/15": 180_000}
                store.write(lambda c: accounts.announce_prices(c, prices, now))
            if chance.random() < 0.6:
                cap = chance.choice([400_000, 1_200_000, 3_000_000, 9_000_000])
                store.write(lambda c: accounts.set_cap(c, batch_key(1), cap))
            if chance.random() < 0.3:
                store.write(lambda c: accounts.set_cap(c, campaign_key(1, "summer"), 500_000))
            if chance.random() < 0.3:
                store.write(lambda c: accounts.set_floor(c, 500_000))

    def _load_specs(self, connection: Any, specs: Iterable[JobSpec]) -> Any:
        now = self.clock.now()
        batch = batches.open_batch(connection, None, "night", "/m/night.csv", ["id"], now)
        kind = Client(self.account, self.clock).kind
        return loading.load(connection, batch, specs, lambda r: kind(r).key, now, whole=False)

    def _process(self, *, dying: bool) -> Ending | None:
        chance = self.chance
        commit, at = 0, None
        if dying:
            if chance.random() < 0.5:
                commit = chance.randint(1, 60)
            else:
                at = chance.uniform(0.01, chance.choice([2.0, 15.0, 120.0]))
        named = None if not dying or chance.random() < 0.7 else chance.choice(POINTS)
        store = WatchedStore(self.path, self.watcher, commit=commit, before=chance.random() < 0.5)
        STORES[:] = [store]
        count = chance.randint(1, 6)

        def checkpoint(name: str) -> None:
            nonlocal count
            if name == named:
                count -= 1
                if count == 0:
                    raise Crash

        runner = Runner(
            store,
            Client(self.account, self.clock),
            Owner("http://api.test", "secret"),
            self.policy,
            self.clock,
            random.Random(chance.getrandbits(32)),
            checkpoint,
        )
        ending: Ending | None = live(
            runner.run([1]), store, self.clock, dies_at=at, companions=self._companions
        )
        assert runner.surplus == 0, "a generation turned up after its replacement was paid for"
        return ending

    def _companions(self) -> list[Coroutine[Any, Any, Any]]:
        beside: list[Coroutine[Any, Any, Any]] = []
        if self.operators:
            beside.append(self._operate(random.Random(self.chance.getrandbits(32))))
        if self.jumps:
            beside.append(self._jump(random.Random(self.chance.getrandbits(32))))
        return beside

    async def _jump(self, chance: random.Random) -> None:
        """Set our wall clock, now and then."""
        for _ in range(3):
            await asyncio.sleep(chance.uniform(1, 60))
            self.clock.error = timedelta(seconds=chance.choice([0, 3600, -3600, 86_400, 30]))

    async def _operate(self, chance: random.Random) -> None:
        """Call retry, cancel, resolve, pause, load rows, raise the cap, from another terminal."""
        with WatchedStore(self.path, self.watcher) as store:
            for _ in range(12):
                await asyncio.sleep(chance.uniform(0.5, 15))
                jobs = store.read(lambda c: list(views.jobs(c)))
                job = chance.choice(jobs)
                self.watcher.touched.add(job.id)
                deed = chance.choice(DEEDS)
                with suppress(NotAllowedError, ProviderError, DatabaseUnusableError):
                    await self._do(deed, store, job, chance)

    async def _do(self, deed: str, store: Store, job: Any, chance: random.Random) -> None:
        now = self.clock.now()
        if deed == "cancel":
            store.write(lambda c: steering.cancel(c, [job.id], now))
        elif deed == "retry":
            store.write(lambda c: steering.retry(c, [job.id]))
        elif deed == "pause":
            store.write(lambda c: steering.set_paused(c, 1, paused=True))
            try:
                await asyncio.sleep(chance.uniform(1, 30))
            finally:
                store.write(lambda c: steering.set_paused(c, 1, paused=False))
        elif deed == "load":
            store.write(lambda c: self._load_specs(c, self.specs))
        elif deed == "cap":
            old = store.read(lambda c: self.watcher.cap_of(c, batch_key(1)))
            if old is not None:
                store.write(lambda c: accounts.set_cap(c, batch_key(1), old + 200_000))
        elif job.state == JobState.IN_DOUBT:
            # a person who looked: the provider's page shows what was made, and what was not
            made = self.watcher.made_by(store, job.attempt_id)
            if made is not None and made.created_at <= self.account.now():
                client = Client(self.account, self.clock)
                await resolve_as(store, client, self.clock, job, made.id, force=False)
            elif made is None and not self.watcher.under_way(store, job.attempt_id):
                grace = timedelta(seconds=chance.choice([0.0, GRACE]))
                resolve_never_made(store, self.clock, job, grace=grace, force=True)

    def _sum_up(self, store: Store, ending: Ending | None) -> None:
        """Hold what must hold when nothing is left to do."""
        outcome = self.outcome
        jobs = store.read(lambda c: list(views.jobs(c)))
        attempts = store.read(lambda c: [a for j in jobs for a in views.attempts_of(c, j.id)])
        outcome.jobs, outcome.attempts = len(jobs), len(attempts)
        outcome.posts, outcome.commits = self.account.posts, self.watcher.invariants.commits
        outcome.states = Counter(job.state for job in jobs)
        outcome.adopted = sum(
            a.price_estimated and a.doubt_since is not None for a in attempts if a.price_micros
        )
        outcome.voided = sum(a.state == "void" for a in attempts)
        outcome.doubts = sum(a.doubt_since is not None for a in attempts)
        doubts = [a for a in attempts if a.state == "in_doubt"]
        outcome.left_in_doubt = len(doubts)
        assert ending is not None
        assert ending.reason in (Reason.FINISHED, Reason.BLOCKED, Reason.FUNDS), ending
        held = store.read(lambda c: {b.key: b.held for b in views.budgets(c)})
        assert held[batch_key(1)] == sum(doubt.hold_micros for doubt in doubts)
        for doubt in doubts:
            contested = doubt.prompt in self.account.twins
            lost_clock = self.jumps
            assert contested or lost_clock, (
                f"the list could have settled {doubt.id}: {doubt.unproven}"
            )
        for job in jobs:
            assert job.state not in ("submitting", "pending", "processing"), job
            if job.state == JobState.QUEUED:
                assert ending.reason in (Reason.BLOCKED, Reason.FUNDS), job
        self.watcher.nothing_is_lost(store)


POINTS = (
    "intent-written",
    "request-leaving",
    "answer-read",
    "outcome-written",
    "look-read",
    "look-written",
    "list-read",
    "doubts-settled",
)


def play(seed: int) -> Outcome:
    """Live through the night of a seed, in a folder of its own.

    Raises:
        AssertionError: an invariant did not hold.
    """
    memory = Path("/dev/shm")  # noqa: S108 - a real file, on a disk that needs no waiting
    folder = Path(tempfile.mkdtemp(prefix="night-", dir=memory if memory.is_dir() else None))
    try:
        return Night(seed, folder).play()
    finally:
        shutil.rmtree(folder)
