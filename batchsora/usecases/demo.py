"""The demo: a sample manifest from rows to files, on the sandbox, within a budget."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from batchsora.composition.databases import existing_store
from batchsora.composition.exit_codes import Exit
from batchsora.composition.session import RunDependencies
from batchsora.export import export_batches
from batchsora.options import RunOptions
from batchsora.settings import Settings
from batchsora.usecases.from_options import terms_of
from batchsora.usecases.manifest_options import Source
from batchsora.usecases.start import StartRequest, start
from batchsora.usecases.user_interface import Context, UserInterface
from jobs.model.money import usd_text

CAP = Decimal("5.00")


@contextmanager
def sample_manifest() -> Iterator[Path]:
    """Find the sample campaign: inside the wheel, or beside the package in a checkout."""
    inside = files("batchsora") / "_samples"
    if inside.is_dir():
        with as_file(inside) as folder:
            yield folder / "campaign.csv"
    else:
        yield Path(__file__).resolve().parents[2] / "sample_manifests" / "campaign.csv"


class _Beside:
    """Passes on what a run says, but not its result."""

    def __init__(self, ui: UserInterface) -> None:
        self.say = ui.say
        self.can_ask = ui.can_ask
        self.confirm = ui.confirm

    def result(self, document: Any, text: Callable[[], str]) -> None:
        """Show nothing: the demo has its own result."""


def run_demo(manifest: Path, folder: Path, deps: RunDependencies, ui: UserInterface) -> Exit:
    """Run a manifest on the sandbox, export it, and say where everything is."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = Settings(database=folder / "demo.db", sandbox=True)
    videos = folder / "videos"
    options = RunOptions(budget=CAP, request_timeout=10.0, download=videos, sandbox=True)
    request = StartRequest(Source(manifest), options, terms_of(options))
    ui.say(f"a demo of {manifest} on the sandbox: real files, no money")
    code = start(request, Context(settings, deps, _Beside(ui)))
    table = folder / "results.csv"
    with existing_store(settings.database) as store:
        rows = store.queries.batches()
        source = str(manifest.resolve())
        own = [row.name for row in rows if (row.source or "").partition("#")[0] == source]
        export_batches(store, table, own[-1] if own else None)
        found = store.queries.statuses()
    spent = sum(batch.money.charged for batch in found)
    ui.result(
        {
            "videos": str(videos),
            "table": str(table),
            "database": str(settings.database),
            "spent": usd_text(spent),
            "cap": str(CAP),
        },
        lambda: (
            f"\nvideos    {videos}/\ntable     {table}\ndatabase  {settings.database}\n"
            f"spent     ${usd_text(spent)} of play money, of at most ${CAP}\n\n"
            f"look around:  batchsora --db {settings.database} status"
        ),
    )
    return code
