"""batchsora as ``run`` puts it together: a loaded database, the client over HTTP, the engine."""

import cProfile
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

from contest import Watch, body, options

from batchsora.composition.session import RunDependencies, api_endpoint
from batchsora.options import RunOptions
from batchsora.providers.registry import kind_of
from batchsora.usecases.run import run_batches
from jobs.database import schema
from jobs.model.provider import GenerationRequest
from jobs.model.spec import JobSpec, spec_row
from jobs.model.states import JobState
from jobs.services.run_outcome import Reason
from jobs.store import Store, incoming, loading, views
from jobs.store.prepared import driver


def loaded(store: Store, jobs: int) -> int:
    """Load rows; gives the batch."""
    now = datetime.now(UTC)
    specs = (JobSpec(f"r{i}", False, i, GenerationRequest(**body(i))) for i in range(jobs))
    batch = store.write(lambda c: views.open_batch(c, "b", "b", None, ["prompt"], now))
    rows = (spec_row(spec, kind_of(spec.request).key) for spec in specs)
    store.spool(lambda c: incoming.fill(c, rows))
    store.write(lambda c: loading.merge(c, batch, now))
    return batch


def not_durable(store: Store) -> None:
    """Never wait for the disk: what durability costs is the difference."""
    connection = store.write(lambda c: c)
    driver(connection).execute("PRAGMA synchronous = OFF")


if __name__ == "__main__":
    asked = options(not_durable=True, profile=True)
    database = Path("batchsora.db")
    schema.upgrade(database)
    with Store(database) as opened:
        if asked.not_durable:
            not_durable(opened)
        number = loaded(opened, asked.jobs)
        run_options = RunOptions(
            max_in_flight=asked.window, rate=0, poll_interval=asked.poll, no_download=True
        )
        place = api_endpoint(asked.url, "benchmark")
        profile = cProfile.Profile() if asked.profile else None
        watch = Watch()
        with profile or nullcontext():
            result = run_batches(
                opened, place, run_options, [number], RunDependencies(quiet=True), print
            )
        watch.report()
        done = result.batches[0].jobs[JobState.COMPLETED]
        if result.ending.reason is not Reason.FINISHED or done != asked.jobs:
            raise SystemExit(f"{result.ending}: {done} of {asked.jobs} are completed")
    if profile is not None:
        profile.dump_stats("profile")
