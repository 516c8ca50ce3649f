"""One long night on virtual time: ``python tests/simulation/long.py [--jobs 100000] [--hours 24]``.

Jobs of 5 to 15 minutes each, faults included, in minutes of real time. It prints what a job costs
and the memory hour by hour, and compares the ledger with what the provider made; the exit status is
1 when something was paid twice, lost, or above the cap.
"""

import argparse
import asyncio
import logging
import random
import resource
import sys
import tempfile
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from sqlalchemy import select
from support.loads import load
from support.loop import VirtualClock, run_virtual
from support.policies import policy as policy_with

from batchsora.sandbox.faults import Faults
from batchsora.sandbox.world import World
from jobs.database import schema
from jobs.database.tables import ATTEMPT
from jobs.model.ledger import batch_key
from jobs.model.money import usd_text
from jobs.model.provider import Generation, GenerationRequest
from jobs.model.spec import JobSpec
from jobs.services.runner import Owner, Runner
from jobs.store import Store, accounts, views
from simulation.world import Account, Client

LIMIT = 100
IN_FLIGHT = 1200
"""More than the night's pace times fifteen minutes."""


class LongAccount(Account):
    """An account whose list is not walked for every page."""

    def page(self, limit: int, offset: int) -> list[Generation]:
        """Show a page of the list, newest first, as far as it has come."""
        shown = self.now() - timedelta(seconds=self.lag)
        known = bisect_right(self.world.made, shown, key=lambda made: made.created_at) - offset
        return [
            self.view(made) for made in reversed(self.world.made[max(known - limit, 0) : known])
        ]


class CountingClient(Client):
    """Counts what is asked."""

    list_limit = LIMIT

    def __init__(self, account: Account, clock: VirtualClock) -> None:
        super().__init__(account, clock)
        self.asked: Counter[str] = Counter()

    async def generation(self, generation_id: str) -> Generation:
        self.asked["single"] += 1
        return await super().generation(generation_id)

    async def generations(self, family: str, limit: int, offset: int) -> Sequence[Generation]:
        self.asked["list"] += 1
        return await super().generations(family, limit, offset)


def memory() -> int:
    """Give the bytes that this process has in memory, the account of this test included."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@dataclass
class Night:
    """A database, an account, and the time."""

    folder: Path
    jobs: int
    hours: float

    def __post_init__(self) -> None:
        self.clock = VirtualClock()
        self.account = LongAccount(
            world=World(seed=7, time_scale=1.0, balance=10**12, fail=0.02),
            faults=Faults(drop=0.002, error=0.001, lost=0.001, late=0.001, throttle=0.002),
            chance=random.Random(7),
            now=self.clock.now,
            skew=timedelta(seconds=-3),
            lag=1.0,
            late_by=60.0,
            flaky=0.01,
            on_made=lambda _: None,
        )
        self.client = CountingClient(self.account, self.clock)
        database = self.folder / "night.db"
        schema.upgrade(database)
        self.store = Store(database)
        self.batch = self._load()

    def _specs(self) -> Iterator[JobSpec]:
        for i in range(self.jobs):
            request = GenerationRequest(f"a kite over dune {i}", "9:16", 10)
            yield JobSpec(f"r{i}", False, i, request, f"c{i % 7}")

    def _load(self) -> int:
        now = self.clock.now()

        def work(connection: object) -> int:
            batch = views.open_batch(connection, "b", "b", None, ["prompt"], now)
            load(connection, batch, self._specs(), lambda r: self.client.kind(r).key, now)
            accounts.set_cap(connection, batch_key(batch), 10**12)
            return batch

        return self.store.write(work)

    async def play(self) -> None:
        """Run it, and look at the memory each hour."""
        policy = policy_with(max_in_flight=IN_FLIGHT, rate=self.jobs / (self.hours * 3600) * 1.02)
        owner = Owner("http://sim", "t")
        runner = Runner(self.store, self.client, owner, policy, self.clock, random.Random(3))
        watching = asyncio.create_task(self._watch())
        ending = await runner.run([self.batch])
        watching.cancel()
        print(f"ended as {ending.reason} after {self.clock.monotonic() / 3600:.1f} h")

    async def _watch(self) -> None:
        began = time.process_time()
        while True:
            counts = self.store.read(lambda c: views.batch_status(c, views.find_batches(c)[0]).jobs)
            print(
                f"hour {self.clock.monotonic() / 3600:4.1f}: {counts['completed']:6} completed, "
                f"{memory() / 1e6:.0f} MB, {time.process_time() - began:.0f} s of CPU",
                flush=True,
            )
            await asyncio.sleep(2 * 3600)

    def sum_up(self) -> bool:
        """Compare the ledger with the account; says whether all is well."""
        status = self.store.read(lambda c: views.batch_status(c, views.find_batches(c)[0]))
        known = set(
            self.store.read(
                lambda c: c.execute(
                    select(ATTEMPT.c.generation_id).where(ATTEMPT.c.generation_id.is_not(None))
                ).scalars().all()
            )
        )  # fmt: skip
        made = self.account.world.made
        lost = [item for item in made if item.id not in known]
        good = Counter(item.prompt for item in made if item.failure is None)
        twice = [prompt for prompt, times in good.items() if times > 1]
        asked = self.client.asked
        print(f"{status.jobs['completed']} completed, {status.jobs['failed']} failed")
        print(
            f"made {len(made)}, lost {len(lost)}, twice {len(twice)}; charged "
            f"${usd_text(status.money.charged)}; each job: {self.account.posts / self.jobs:.3f} "
            f"submissions, {asked['list'] / self.jobs:.3f} pages, "
            f"{asked['single'] / self.jobs:.3f} single looks"
        )
        in_doubt = status.jobs["in_doubt"]
        return not twice and len(lost) <= in_doubt and status.total == self.jobs


def main() -> int:
    """Play it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--hours", type=float, default=24.0)
    asked = parser.parse_args()
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        night = Night(Path(folder), asked.jobs, asked.hours)
        run_virtual(night.play())
        well = night.sum_up()
        night.store.close()
        size = (Path(folder) / "night.db").stat().st_size
        print(
            f"{size / asked.jobs:.0f} bytes of database each; "
            f"{time.perf_counter() - began:.0f} s of real time"
        )
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
