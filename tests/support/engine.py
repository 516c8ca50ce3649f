"""Putting an engine together for a test: a real SQLite file, virtual time, a scripted provider."""

import random
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from jobs.database.tables import ATTEMPT, BATCH, BUDGET, JOB
from jobs.model.ledger import batch_key, campaign_key
from jobs.model.provider import GenerationRequest
from jobs.model.spec import JobSpec
from jobs.ports.seen import BatchStatus
from jobs.runtime.run_context import nothing
from jobs.services.run_outcome import Ending
from jobs.services.runner import Owner, Runner
from jobs.store import Store, accounts, views
from jobs.store.rows import change
from support.blank import blank, let_agree
from support.loads import load
from support.loop import VirtualClock, run_virtual
from support.policies import policy as policy_with
from support.provider import ScriptedProvider


def spec(key: str, prompt: str | None = None, row: int = 0, **changes: Any) -> JobSpec:
    """Make a row; request fields and row fields by name."""
    request_fields = {
        name: changes.pop(name)
        for name in ("orientation", "duration", "image", "callback_url", "model", "parameters")
        if name in changes
    }
    request = GenerationRequest(
        prompt=f"prompt of {key}" if prompt is None else prompt,
        **({"orientation": "9:16", "duration": 10} | request_fields),
    )
    return JobSpec(
        key=key,
        key_from_content=changes.pop("key_from_content", False),
        row=row,
        request=request,
        **changes,
    )


class Engine:
    """One database and one account, over any number of runs."""

    def __init__(
        self,
        folder: Path,
        observer: Callable[[Connection], None] | None = None,
        **provider_fields: Any,
    ) -> None:
        self.path = folder / "test.db"
        blank(self.path)
        self.clock = VirtualClock()
        self.provider = ScriptedProvider(self.clock, **provider_fields)
        self.store = Store(self.path, observer)
        self.chance = random.Random(7)
        self.owner = Owner("http://api.test", "secret")

    def announce(self, **prices: int) -> None:
        """Announce prices by duration, e.g. ``announce(s10=120_000)``."""
        kinds = {f"fake/sora/{name[1:]}": micros for name, micros in prices.items()}
        self.store.write(lambda c: accounts.announce_prices(c, kinds, self.clock.now()))

    def agreed(self) -> None:
        """Let the balance have agreed with purchases of earlier nights."""
        let_agree(self.store, self.clock.now(), self.provider.balance_micros)

    def load(self, specs: Iterable[JobSpec], batch: str = "night", **options: Any) -> Any:
        """Load rows as a batch."""
        now = self.clock.now()

        def work(connection: Connection) -> Any:
            source = f"/m/{batch}.csv"
            batch_id = views.open_batch(connection, None, batch, source, ["id", "prompt"], now)
            return load(
                connection,
                batch_id,
                specs,
                lambda request: self.provider.kind(request).key,
                now,
                **options,
            )

        return self.store.write(work)

    def cap(self, micros: int, batch_id: int = 1, campaign: str | None = None) -> None:
        """Set the cap of a batch or of one of its campaigns."""
        key = batch_key(batch_id) if campaign is None else campaign_key(batch_id, campaign)
        self.store.write(lambda c: accounts.set_cap(c, key, micros))

    def max_price(self, micros: int, batch_id: int = 1) -> None:
        """Set the highest price that a batch may pay."""
        self.store.write(lambda c: change(c, BATCH, batch_id, max_price_micros=micros))

    def run(
        self,
        batch_ids: Sequence[int] = (1,),
        during: Callable[[Runner], Any] | None = None,
        checkpoint: Callable[[str], None] = nothing,
        **policy: Any,
    ) -> Ending:
        """Run until the engine says that it is over."""

        async def main() -> Ending:
            runner = Runner(
                self.store,
                self.provider,
                self.owner,
                policy_with(**policy),
                self.clock,
                self.chance,
                checkpoint,
            )
            if during is not None:
                during(runner)
            return await runner.run(batch_ids)

        ending = run_virtual(main())
        # the next run begins later, on a loop whose time starts at zero
        self.clock.start = self.clock.now() - self.clock.skew
        self.clock._last = 0.0
        return ending

    def rows(self, query: Any) -> list[Any]:
        """Read rows."""
        return list(self.store.read(lambda c: c.execute(query).all()))

    def jobs(self) -> dict[str, Any]:
        """Read every job by its key."""
        return {row.key: row for row in self.rows(select(JOB))}

    def jobs_of(self, batch_id: int) -> list[Any]:
        """Read the jobs of a batch."""
        return self.rows(select(JOB).where(JOB.c.batch_id == batch_id).order_by(JOB.c.id))

    def attempts(self) -> list[Any]:
        """Read every attempt."""
        return self.rows(select(ATTEMPT).order_by(ATTEMPT.c.id))

    def budget(self, key: str) -> Any:
        """Read a budget."""
        (row,) = self.rows(select(BUDGET).where(BUDGET.c.key == key))
        return row

    def status(self, batch_id: int = 1) -> BatchStatus:
        """Sum a batch up."""

        def work(connection: Connection) -> BatchStatus:
            (batch,) = [b for b in views.find_batches(connection) if b.id == batch_id]
            return views.batch_status(connection, batch)

        return self.store.read(work)
