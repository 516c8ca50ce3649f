"""One simulated night: a random manifest, caps, faults and crashes, all from one seed."""

import asyncio
import os
import random
import secrets
import shutil
import sqlite3
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select
from support.blank import blank
from support.engine import spec
from support.loads import load
from support.loop import EPOCH
from support.policies import policy as policy_with

from batchsora.providers.registry import DEFAULT_MODEL, FAMILIES, MODELS
from batchsora.sandbox.answers import Reply, Span
from batchsora.sandbox.faults import Faults
from batchsora.sandbox.world import World
from jobs.database.tables import JOB
from jobs.evidence.looked_for import Wish
from jobs.evidence.suspects import NARROW
from jobs.model.errors import DatabaseUnusableError, LoadError, NotAllowedError
from jobs.model.families import EvidenceClass, Kind, named_id
from jobs.model.ledger import batch_key, campaign_key
from jobs.model.provider import ProviderError, RefusalCause, Refused, Rejected, SubmitOutcome
from jobs.model.retry import RetryPolicy
from jobs.model.spec import JobSpec, asked_key
from jobs.model.states import FailureKind, HeldBack, JobState, Reason
from jobs.reconciliation.adoption import find_earlier, take_over
from jobs.reconciliation.by_word import resolve_as, resolve_never_made
from jobs.runtime.run_context import RunPolicy
from jobs.services.run_outcome import Ending
from jobs.services.runner import Owner, Runner
from jobs.store import (
    Store,
    accounts,
    doubts,
    handing,
    holding,
    past,
    steering,
    takeovers,
    views,
)
from simulation.mutants import STORES
from simulation.process import Crash, SimClock, WatchedStore, live
from simulation.watch import ATTEMPTS, Watcher
from simulation.world import Account, Client, outcome_of

GRACE = 20.0
LONGEST = 45.0
"""Seconds that a generation takes at most in here."""

DEEDS = ("cancel", "retry", "resolve", "resolve", "pause", "load", "cap", "edit", "edit", "hand")
"""What people do meanwhile, from another terminal."""

CLASSES: Mapping[str, Sequence[str]] = {
    "listed": ("sora",),
    "marked": ("veo_3_fast",),
    "ordered": ("kling_2.1",),
    "blind": ("kling_o1",),
    "mixed": ("sora", "veo_3_fast", "kling_2.1", "kling_o1"),
}
"""Models of a night, by what their lists show of a lost answer (docs/models.md)."""

LISTS = (
    "list=frozen", "list=frozen:1", "list=frozen:3", "list=frozen:20:90", "list=frozen:5:400",
    "list=lossy:0.1", "list=lossy:0.3", "list=lossy:0.7", "list=unordered", "list=oldest-first",
    "list=capped:2", "list=capped:7", "list=newest:3", "list=short-pages", "list=ignores-offset",
    "list=repeats-past-end", "list=errors-past-end", "list=errors-past-end:500", "list=404",
    "list=500", "list=html", "list=shape", "list=altered:cut:20", "list=altered:cut:12",
    "list=altered:escape", "list=altered:lower", "list=altered:enhance", "list=altered:ellipsis:20",
    "list=capped:5+lossy:0.2", "list=altered:cut:20+lossy:0.2",
)  # fmt: skip
"""Lists that lie, hide or break: none of them may buy anything twice."""

HONEST = ("list=capped:2", "list=capped:7", "list=short-pages", "list=repeats-past-end")
"""Those that show everything, in an unusual way."""

HIDES_SOME = ("list=frozen", "list=lossy", "+lossy")
"""Those that may hide just what a lost database bought: no look can find it there."""

BREAKS = ("list=404", "list=500", "list=html", "list=shape", "list=errors-past-end")
"""Those that can't be read, or not to their end."""

TELLS_LITTLE = ("list=newest", "list=altered:enhance")
"""Those of which nothing can be told before a generation of ours is known."""

ANSWERS = (
    "failure=UNSAFE_CONTENT+INTERNAL_ERROR+frobnicated,fail=0.4", "failure=INVALID_IMAGE,fail=0.2",
    "failure=SERVICE_UNAVAILABLE,fail=0.3,failure-form=object", "stuck=0.2", "sick=0.3",
    "status-completed=succeeded", "status-failed=cancelled,fail=0.2", "sick=0.3,sick-as=410",
    "status-processing=frobnicated,status-share=0.5", "odd-time=year9999:0.3", "odd-time=none:0.2",
    "odd-time=year1:0.3", "odd-date=year1", "upper-ids", "address=relative", "address=none:30",
    "outage=20:80:posts:502", "outage=10:200", "outage=30:300:posts:hang-up", "outage=5:60:reads",
    "sick=0.4,sick-as=403",
    "sick=0.7,sick-as=403", "sick=0.7,sick-as=html403", "failure=GOOGLE_DECLINED,fail=0.5",
    "sick=0.4,sick-as=html",
)  # fmt: skip
"""Other ways of real providers."""

REFUSALS = (
    Reply(400, {"detail": "Insufficient balance"}), Reply(402, {"detail": "Top up first"}),
    Reply(403, {"detail": "Your account has been suspended"}), Reply(403, {"detail": "Forbidden"}),
    Reply(403, {"error": {"message": "You exceeded your quota", "code": "quota"}}),
    Reply(400, {"detail": "Your plan has expired"}), Reply(400, {"message": "request 7 is odd"}),
    Reply(401, {"detail": "Missing credentials"}), Reply(422, {"detail": [{"msg": "no"}]}),
    Reply(429, {"detail": "Daily limit reached"}), Reply(503, {"detail": "account is locked"}),
)  # fmt: skip
"""What every purchase is answered for a while, as if the account were refused."""

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
    restored: int = 0
    manners: str = ""
    states: Counter[str] = field(default_factory=Counter)


class Night:
    """Everything that happens in one seed.

    Args:
        seed: of all chance.
        folder: where the database lies.
        models: of which each row takes one.
    """

    def __init__(self, seed: int, folder: Path, models: Sequence[str] = CLASSES["listed"]) -> None:
        self.seed = seed
        self.models = models
        self.path = folder / "night.db"
        self.chance = random.Random(seed)
        self.clock = SimClock(EPOCH)
        self.outcome = Outcome(seed)
        self.specs = [self._of_a_model(one) for one in self._manifest()]
        kind = self.chance.random()
        self.odd_list = ""
        if kind < 0.5:
            self.odd_list = self.chance.choice(LISTS if kind < 0.35 else HONEST)
        odd = [self.odd_list] if self.odd_list else []
        odd += [self.chance.choice(ANSWERS)] if self.chance.random() < 0.5 else []
        self.outcome.manners = ",".join(odd)
        self.account = self._account()
        self.watcher = Watcher(self.account)
        self.account.on_made = self.watcher.made
        self.policy = self._policy()
        self.operators = self.chance.random() < 0.5
        self.jumps = self.chance.random() < 0.25
        self.by_hand = False

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

    def _of_a_model(self, row: JobSpec) -> JobSpec:
        """Let a row take a model; which one is a matter of its prompt, mostly."""
        chance = random.Random(f"{self.seed}/{row.request.prompt}")
        if chance.random() < 0.2:
            chance = random.Random(f"{self.seed}/{row.key}")
        model = MODELS[chance.choice(self.models)]
        if model is DEFAULT_MODEL:
            return row
        duration = chance.choice(model.durations) if model.durations else None
        return replace(row, request=replace(row.request, model=model.name, duration=duration))

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
        # of two equal ones of the same seconds a list that lies may show the other's alone
        plain = not self.odd_list or self.odd_list in HONEST
        shared = chance.random() < 0.4 and not fail and plain
        twins = frozenset(chance.sample(unique, min(len(unique), 2)) if shared else ())
        odd = Faults.parse(f"{self.outcome.manners},{self._money()}")
        balance = chance.choice([100_000_000, 100_000_000, 1_500_000])
        refusals = self._refusals()
        if (
            refusals or balance < 100_000_000
        ):  # one that is refused without our hearing of it has no generation
            twins = frozenset()
        world = World(
            seed=self.seed,
            time_scale=900.0 / LONGEST,
            balance=balance,
            fail=max(fail, odd.fail),
            manners=odd.manners,
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
            refusals=refusals,
        )

    def _says_whose_fault(self) -> bool:
        """Check whether what the account is refused with speaks of it: then no row may fail."""
        told = [outcome for _, outcome in self.account.refusals]
        return not any(isinstance(one, Rejected) or _is_access(one) for one in told)

    def _refusals(self) -> tuple[tuple[Span, SubmitOutcome], ...]:
        """Draw a time in which every purchase is refused."""
        if not refuses(self.seed):
            return ()
        chance = random.Random(self.seed + 3)
        chance.random()
        begin = chance.uniform(0, 60)
        span = Span(begin, begin + chance.choice([5, 30, 120, 400]))
        return ((span, outcome_of(chance.choice(REFUSALS))),)

    def _money(self) -> str:
        """Draw how the balance is shown; late within the grace."""
        chance = random.Random(self.seed + 2)
        late = chance.choice([0.0, 0.0, 0.0, 2.0, GRACE * 0.6])
        share = chance.choice([0.0, 0.0, 0.5, 1.0])
        after = chance.choice([0.0, 5.0, 60.0, 600.0])
        off = chance.choice([0.0, 0.0, 0.0, 0.1, 0.5])
        back = chance.choice([0.0, 0.0, 0.0, 30.0, 600.0])
        return f"balance-late={late},refunds={share}:{after},discount={off},reserves={back}"

    def _policy(self) -> RunPolicy:
        chance = self.chance
        return policy_with(
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
        self._lose_what_some_bought()
        if self.chance.random() < 0.4:
            self._copy_or_restore()
        for _ in range(crashes):
            if self._process(dying=True) is None:
                self.outcome.crashes += 1
                self.account.outlive()
                self.account.unheard |= self.watcher.unmade()
            self.clock.leave(self.chance.choice([0.5, 5.0, 30.0, 400.0]))
            self._made_by_hand()
            self._copy_or_restore()
        ending: Ending | None = None
        for _ in range(RUNS):
            ending = self._process(dying=False)
            self.clock.leave(LONGEST * 2)
            if ending is not None and ending.reason in OVER and not self._left_late(ending):
                break
        with Store(self.path) as store:
            self._sum_up(store, ending)
        if self.chance.random() < 0.4 and not (self.outcome.restored or self.account.twins):
            self._play_a_copy()
        return self.outcome

    def _made_by_hand(self) -> None:
        """Let a person make, on the provider's own page, what a run that died left unsettled."""
        chance = random.Random(f"{self.seed}/{self.outcome.crashes}/by hand")
        # what a person says was never made is watched for an hour: whatever comes up is its own
        if self.account.twins or self.outcome.restored or self.operators or chance.random() < 0.5:
            return
        with Store(self.path) as store:
            doubts_left = [a for a in store.read(ATTEMPTS.all) if a.state == "in_doubt"]
        for one in doubts_left:
            at = self.clock.true_now() - timedelta(seconds=chance.uniform(0, 0.1))
            late = (
                at
                >= max(one.send_before, one.doubt_since) + timedelta(seconds=2 * GRACE) + 2 * NARROW
            )
            model = MODELS[Kind.parse(one.kind).model]
            # what is bought by hand while its request may be under way looks like its own; while
            # the clocks were not compared yet, a list with times allows for ten minutes more
            if late and model.evidence is not EvidenceClass.LISTED and chance.random() < 0.5:
                self.by_hand = True
                self.account.world.add_foreign(one.prompt, at, model)

    def _left_late(self, ending: Ending) -> bool:
        """Check whether a person did something just as a run ended: the next one sees it."""
        if not self.operators:
            return False
        free = ending.reason is Reason.FINISHED  # else it says itself what it left
        with Store(self.path) as store:
            return any(
                job.state == JobState.PENDING or (free and _is_free(job))
                for job in store.read(lambda c: list(views.jobs(c)))
            )

    def _play_a_copy(self) -> None:
        """Run the same rows once more, from a file of another name: what was paid for waits."""
        with WatchedStore(self.path, self.watcher) as store:
            store.write(self._load_copy)
        store = WatchedStore(self.path, self.watcher)
        STORES[:] = [store]
        runner = self._runner(store, lambda _: None)
        live(runner.run([3]), store, self.clock, dies_at=None, companions=list)

    def _load_copy(self, connection: Connection) -> None:
        now = self.clock.now()
        batch = views.open_batch(connection, None, "copy", "/m/copy.csv", ["id"], now)
        kind = Client(self.account, self.clock).kind
        chance = random.Random(self.seed + 5)
        specs = [_spelled_otherwise(one, chance) for one in self.specs]
        load(connection, batch, specs, lambda r: kind(r).key, now, held_back=None)
        asked = list(connection.execute(select(JOB).where(JOB.c.batch_id == batch)))
        self.watcher.copies = {row.id for row in asked}
        self.watcher.asked_for = Counter(asked_key(row) for row in asked)
        found = past.find(connection, holding.Sought([batch]))
        by = {one.job_id: one.paid.generation_id for one in found}
        holding.hold_back(connection, by, HeldBack.PAID_BEFORE)

    def _lose_what_some_bought(self) -> None:
        """Where the list lies, go on with a copy that knows some purchases, and not the later."""
        chance, lies = random.Random(self.seed + 4), self.odd_list and self.odd_list not in HONEST
        if not lies or self._hides() or chance.random() < 0.2:
            return
        self.jumps = False
        picked = chance.sample(range(len(self.specs)), chance.randint(1, len(self.specs) - 1))
        with WatchedStore(self.path, self.watcher) as store:
            store.write(lambda c: holding.pick(c, 1, picked))
        account, faults, flaky = self.account, self.account.faults, self.account.flaky
        account.faults, account.flaky = Faults(), 0.0  # such a list would leave doubts, so no copy
        self._process(dying=False)
        self.clock.leave(5.0)
        with WatchedStore(self.path, self.watcher) as store:
            left_out = holding.Sought([1])
            store.write(lambda c: holding.release(c, left_out, [HeldBack.LEFT_OUT]))
        if self._keep_a_copy():
            self._process(dying=False)
            self.clock.leave(5.0)
            self._restore()
        account.faults, account.flaky = faults, flaky

    def _hides(self) -> bool:
        """Check whether the list may hide just what a lost database bought: no look can find it."""
        blind = any(not FAMILIES[MODELS[one].family].has_list for one in self.models)
        return blind or any(manner in self.odd_list for manner in HIDES_SOME)

    def _copy_or_restore(self) -> None:
        """Keep a copy of the database, or go on with the one that was kept: a backup, a move."""
        told = self._hides() or self.by_hand  # a copy takes what was made by hand for a void's
        if told or self.account.twins or self.jumps or self.chance.random() < 0.3:
            return
        if self.path.with_suffix(".copy").exists():
            self._restore()
        else:
            self._keep_a_copy()

    def _keep_a_copy(self) -> bool:
        """Keep one that can tell; returns whether it is kept."""
        with Store(self.path) as store:
            unsettled = store.read(doubts.count)
            knows = store.read(accounts.known_generations)
        if unsettled or (not knows and self.odd_list.startswith(TELLS_LITTLE)):
            return False  # which of equal rows an unconfirmed one was, an older copy can't know
        copy = self.path.with_suffix(".copy")
        with closing(sqlite3.connect(self.path)) as old, closing(sqlite3.connect(copy)) as new:
            old.backup(new)
        return True

    def _restore(self) -> None:
        self.clock.wait(400.0 + LONGEST)
        for suffix in ("-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        shutil.copyfile(self.path.with_suffix(".copy"), self.path)
        self.outcome.restored += 1
        with Store(self.path) as store:
            self.watcher.restored(store)

    def _load(self) -> None:
        chance = self.chance
        with WatchedStore(self.path, self.watcher) as store:
            now = self.clock.now()
            store.write(lambda c: self._load_specs(c, self.specs))
            store.write(self._load_second)
            if chance.random() < 0.7:
                prices = {"sim/sora/10": 120_000, "sim/sora/15": 180_000}
                store.write(lambda c: accounts.announce_prices(c, prices, now))
            if chance.random() < 0.6:
                cap = chance.choice([400_000, 1_200_000, 3_000_000, 9_000_000])
                store.write(lambda c: accounts.set_cap(c, batch_key(1), cap))
            if chance.random() < 0.3:
                store.write(lambda c: accounts.set_cap(c, campaign_key(1, "summer"), 500_000))
            if chance.random() < 0.3:
                store.write(lambda c: accounts.keep(c, floor_micros=500_000))

    def _load_second(self, connection: Connection) -> None:
        """Load a batch that no run is for: only what is handed over of it may be bought."""
        now = self.clock.now()
        batch = views.open_batch(connection, None, "second", "/m/second.csv", ["id"], now)
        kind = Client(self.account, self.clock).kind
        rows = [self._of_a_model(spec(f"s{n}", f"{SECOND} {n}", row=n)) for n in range(4)]
        load(connection, batch, rows, lambda r: kind(r).key, now, held_back=None)

    def _load_specs(self, connection: Any, specs: Iterable[JobSpec], *, whole: bool = False) -> Any:
        now = self.clock.now()
        # who loads beside a run lets its rows wait until they are looked for (usecases/start.py);
        # only an older copy has anything to find
        beside = HeldBack.NOT_LOOKED if self.outcome.restored else None
        batch = views.open_batch(connection, None, "night", "/m/night.csv", ["id"], now)
        kind = Client(self.account, self.clock).kind
        # an older copy knows rows by ids that the manifest has no longer
        whole = whole or self.outcome.restored > 0
        return load(
            connection, batch, specs, lambda r: kind(r).key, now, whole=whole, held_back=beside
        )

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

        runners: list[Runner] = []
        ending: Ending | None = live(
            self._run(runners, store, checkpoint),
            store,
            self.clock,
            dies_at=at,
            companions=self._companions,
        )
        assert all(runner.left.surplus == 0 for runner in runners), (
            "a generation turned up after its replacement was paid for"
        )
        return ending

    def _runner(
        self,
        store: Store,
        checkpoint: Callable[[str], None],
        looked_for: Mapping[int, Wish] | None = None,
    ) -> Runner:
        return Runner(
            store,
            Client(self.account, self.clock),
            Owner("http://api.test", "secret"),
            replace(self.policy, looked_for=looked_for),
            self.clock,
            random.Random(self.chance.getrandbits(32)),
            checkpoint,
        )

    async def _run(
        self, runners: list[Runner], store: Store, checkpoint: Callable[[str], None]
    ) -> Ending | None:
        """Run, after a look at what there is already where a copy goes on; None: it failed."""
        looked_for: Mapping[int, Wish] | None = None
        if self.outcome.restored:
            try:
                client = Client(self.account, self.clock)
                work = await find_earlier(store, client, self.clock, holding.Sought([1, 2]))
            except ProviderError:
                return None
            if self.chance.random() < 0.5:
                take_over(store, work, self.clock.now())
            store.adoption.hold_back(work)
            wishes = store.read(lambda c: takeovers.wishes(c, work.compared, free=True))
            looked_for = work.unchanged(wishes)
        runners.append(self._runner(store, checkpoint, looked_for))
        return await runners[0].run([1])

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
                with suppress(NotAllowedError, ProviderError, DatabaseUnusableError, LoadError):
                    await self._do(deed, store, job, chance)

    async def _do(self, deed: str, store: Store, job: Any, chance: random.Random) -> None:
        now = self.clock.now()
        match deed:
            case "cancel":
                store.write(lambda c: steering.cancel(c, [job.id], now))
            case "retry" if job.held_back is None:  # else a person buys what was found, knowingly
                store.write(lambda c: steering.retry(c, [job.id]))
            case "pause":
                store.write(lambda c: steering.set_paused(c, 1, paused=True))
                try:
                    await asyncio.sleep(chance.uniform(1, 30))
                finally:
                    store.write(lambda c: steering.set_paused(c, 1, paused=False))
            case "load":
                store.write(lambda c: self._load_specs(c, self.specs))
            case "edit" | "hand":
                self._tidy(deed, store, job, chance)
            case "cap":
                self._raise_cap(store)
            case _ if job.state == JobState.IN_DOUBT:
                await self._resolve(store, job, chance)

    def _raise_cap(self, store: Store) -> None:
        old = store.read(lambda c: self.watcher.cap_of(c, batch_key(1)))
        if old is not None:
            store.write(lambda c: accounts.set_cap(c, batch_key(1), old + 200_000))

    async def _resolve(self, store: Store, job: Any, chance: random.Random) -> None:
        """Settle a doubt as a person who looked: the provider's page shows what was made."""
        made = self.watcher.made_by(store, job.attempt_id)
        if made is not None and made.created_at <= self.account.now():
            client = Client(self.account, self.clock)
            name = named_id(MODELS[made.model].family, made.id)
            await resolve_as(store, client, self.clock, job, name, force=False)
        elif made is None and not self.watcher.under_way(store, job.attempt_id):
            grace = timedelta(seconds=chance.choice([0.0, GRACE]))
            resolve_never_made(store, self.clock, job, grace=grace, force=True)

    def _tidy(self, deed: str, store: Store, job: Any, chance: random.Random) -> None:
        if deed == "edit":
            self._edit(chance)
            self.watcher.touched.update(one.id for one in store.read(lambda c: list(views.jobs(c))))
            store.write(lambda c: self._load_specs(c, self.specs, whole=True))
        elif job.batch == "second" and job.state == JobState.QUEUED:
            self.watcher.handed.add(job.prompt)
            store.write(lambda c: handing.hand_over(c, [job.id]))

    def _edit(self, chance: random.Random) -> None:
        """Change ids and campaigns in the manifest, as somebody does who tidies it up."""
        number = chance.randrange(len(self.specs))
        self.specs[number] = replace(
            self.specs[number],
            key=f"e{chance.randrange(10**6)}",
            campaign=chance.choice([None, "summer", "winter", "autumn"]),
        )

    def _sum_up(self, store: Store, ending: Ending | None) -> None:
        """Hold what must hold when nothing is left to do."""
        outcome = self.outcome
        jobs = store.read(lambda c: list(views.jobs(c)))
        attempts = store.read(ATTEMPTS.all)
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
        if ending is None:  # a list that can't be read, where a look must come first: no run buys
            assert self.outcome.restored
            assert self.odd_list.startswith(BREAKS)
            self.watcher.nothing_is_lost(store)
            return
        assert ending.reason in OVER, ending
        if not self.operators:  # what no list shows waits for a person, with its money
            settled = [a.id for a in attempts if _is_blind(a.kind) and a.doubt_since is not None]
            assert settled == [doubt.id for doubt in doubts if _is_blind(doubt.kind)]
        held = store.read(lambda c: {b.key: b.held for b in views.budgets(c)})
        assert held["account"] == sum(doubt.hold_micros for doubt in doubts)
        for doubt in doubts:
            # what the list could not settle says why, or what it could be
            said = doubt.unproven or doubt.candidates or _is_blind(doubt.kind)
            assert said or ending.reason in CUT_SHORT, doubt.id
        # a video that was taken over under a batch that no run serves waits for a run that does
        waits = {a.id for a in attempts if not a.idempotency_key}
        for job in jobs:
            assert job.state not in ("submitting", "pending", "processing") or (
                ending.reason in CUT_SHORT or (job.batch == "second" and job.attempt_id in waits)
            ), job
            if _is_free(job):
                assert ending.reason in (Reason.BLOCKED, Reason.FUNDS, *CUT_SHORT), job
        # no row of a night is refused for its own sake: docs/promises.md, Known to fail
        blamed = [job.key for job in jobs if job.error_kind == FailureKind.VALIDATION]
        most = 0 if self._says_whose_fault() else 2 * (1 + self.outcome.crashes)
        assert len(blamed) <= most, blamed
        self.watcher.nothing_is_lost(store)


def refuses(seed: int) -> bool:
    """Return whether the account is refused for a while in the night of a seed."""
    return random.Random(seed + 3).random() >= 0.75


def _spelled_otherwise(row: JobSpec, chance: random.Random) -> JobSpec:
    """Write a row's prompt as another program would save it: it asks for the same."""
    prompt = row.request.prompt
    drawn = chance.choice(
        [prompt, unicodedata.normalize("NFD", prompt), prompt.replace(" ", "  "), f"{prompt} "]
    )
    return replace(row, request=replace(row.request, prompt=drawn))


def _is_access(outcome: SubmitOutcome) -> bool:
    return isinstance(outcome, Refused) and outcome.cause is RefusalCause.ACCESS


def _is_blind(kind: str) -> bool:
    return not FAMILIES[Kind.parse(kind).family].has_list


def _is_free(job: Any) -> bool:
    """Check whether a run of the first batch buys a job."""
    queued = job.state == JobState.QUEUED and job.held_back is None
    return bool(queued and job.batch != "second" and job.in_manifest)


OVER = (Reason.FINISHED, Reason.BLOCKED, Reason.FUNDS)
"""How a night may end."""

CUT_SHORT: tuple[Reason, ...] = ()
"""Endings that leave work, by nobody's choice."""

SECOND = "a second batch, row"

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


WORD = secrets.token_hex(8)
"""Names this process's folder, with its number: the processes of a pool have one of their own."""


def play(seed: int, models: Sequence[str] = CLASSES["listed"]) -> Outcome:
    """Live through the night of a seed, in a folder that each night of this process has anew.

    The name is the same in all: the store keeps what it compiled for the file of a name.

    Raises:
        AssertionError: an invariant did not hold.
    """
    memory = Path("/dev/shm")  # noqa: S108 - a real file, on a disk that needs no waiting
    place = memory if memory.is_dir() else Path(tempfile.gettempdir())
    folder = place / f"night-{os.getpid()}-{WORD}"
    folder.mkdir(mode=0o700)
    try:
        return Night(seed, folder, models).play()
    finally:
        shutil.rmtree(folder)
