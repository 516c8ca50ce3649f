"""The demo: a sample manifest from rows to files, on the sandbox, within a budget."""

import os
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final

from batchsora.composition.databases import existing_store
from batchsora.composition.exit_codes import Exit
from batchsora.composition.sandbox_session import sandbox
from batchsora.composition.session import RunDependencies
from batchsora.export import export_batches
from batchsora.options import RunOptions
from batchsora.settings import read_settings
from batchsora.usecases.from_options import terms_of
from batchsora.usecases.manifest_options import Source
from batchsora.usecases.start import StartRequest, start
from batchsora.usecases.user_interface import Context, UserInterface
from jobs.model.money import usd_text
from jobs.model.spec import JobSpec
from jobs.model.states import JobState
from jobs.ports.seen import DoubtRow
from jobs.ports.selection import Wanted
from jobs.system import quote

CAP = Decimal("5.00")
GRACE = 5.0
"""Seconds for which the lost answer is looked for, at a sandbox whose lists are never late."""

REFUSAL = "The prompt violates the content policy"
_ON_PURPOSE: Final = {
    "failed": "The provider refuses its prompt, and would refuse it again: change it before you "
    "buy it again.",
    "unconfirmed": "The answer to its purchase was lost, and somebody else bought the same: you "
    "choose which video is its own. Until then it is not bought again, and its money is reserved.",
}

FEW = 4
"""Rows below which nothing goes wrong on purpose."""


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
    """Passes on what a run says, without its result and its commands: the demo has its own."""

    def __init__(self, ui: UserInterface) -> None:
        self._say = ui.say
        self.can_ask = ui.can_ask
        self.confirm = ui.confirm
        self.amount = ui.amount

    def say(self, text: str = "") -> None:
        """Say what is no command: those of a run know nothing of the demo's folder."""
        if "batchsora " not in text:
            self._say(text)

    def result(self, document: Any, text: Callable[[], str]) -> None:
        """Show nothing."""


def run_demo(
    manifest: Path, folder: Path, command: str, deps: RunDependencies, ui: UserInterface
) -> Exit:
    """Run a manifest on the sandbox, export it, and say where everything is and what to type.

    Of a manifest with some rows, one fails and one stays unconfirmed, on purpose.

    Args:
        command: how this program was started, as typed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings = read_settings(database=str(folder / "demo.db"), sandbox=True)
    options = RunOptions(
        budget=CAP, request_timeout=10.0, grace=GRACE, download=folder / "videos", sandbox=True
    )
    request = StartRequest(Source(manifest), options, terms_of(options))
    ui.say(f"a demo of {manifest} on the sandbox: real files, no money")
    deps = replace(deps, sandbox=partial(sandbox, **_script(manifest)))
    code = start(request, Context(settings, deps, _Beside(ui)))
    table = folder / "results.csv"
    with existing_store(settings.database) as store:
        rows = store.queries.batches()
        source = str(manifest.resolve())
        own = [row.name for row in rows if (row.source or "").partition("#")[0] == source]
        export_batches(store, table, own[-1] if own else None)
        found = store.queries.statuses()
        failed = [job.key for job in store.queries.jobs(Wanted(states=[JobState.FAILED]))]
    doubts = [doubt for batch in found for doubt in batch.doubts]
    spent = usd_text(sum(batch.money.charged for batch in found))
    begin = f"{command} --db {quote(str(folder / 'demo.db'))}"
    typed = [*_commands(begin, folder / "videos", failed, doubts)]
    where = {
        "videos": str(folder / "videos"),
        "table": str(table),
        "database": str(settings.database),
        "spent": spent,
        "cap": str(CAP),
    }
    document = where | {
        "failed": failed,
        "unconfirmed": [doubt.key for doubt in doubts],
        "commands": [line for line, _ in typed],
    }
    ui.result(document, lambda: _text(where, document, typed))
    return Exit.DONE if code in (Exit.FAILED, Exit.IN_DOUBT) else code


def _script(manifest: Path) -> dict[str, Any]:
    """Choose the row that fails, and the one whose answer is lost; none of very few."""
    rows = [row for row in Source(manifest).opened(Path()).rows() if isinstance(row, JobSpec)]
    times = Counter(row.request.prompt for row in rows)
    once = [
        row.request.prompt
        for row in rows
        if times[row.request.prompt] == 1 and not row.key_from_content
    ]
    if len(once) < FEW:
        return {}
    return {"failures": {once[1]: REFUSAL}, "contested": frozenset({once[-1]})}


def _commands(
    begin: str, videos: Path, failed: Sequence[str], doubts: Sequence[DoubtRow]
) -> Iterator[tuple[str, str]]:
    """Return what can be typed next, in this order, and what it does."""
    yield f"{begin} status --sandbox", "where the batch stands"
    contested = [doubt for doubt in doubts if doubt.candidates]
    for key in failed[:1]:
        yield f"{begin} show {quote(key)} --sandbox", "why that one failed"
        yield (
            f'{begin} retry {quote(key)} --prompt "A field of tulips at dawn" --yes --sandbox',
            "queues it again with another prompt",
        )
    for doubt in contested[:1]:
        yield f"{begin} show {quote(doubt.key)} --sandbox", "which videos could be the row's"
        first = str((doubt.candidates or [])[0]["generation_id"])
        yield (
            f"{begin} resolve {quote(doubt.key)} --generation {quote(first)} --sandbox",
            "says that it is the first of them",
        )
    if failed or contested:
        where = f"--download {quote(str(videos))}"
        yield f"{begin} run --sandbox {where}", "buys and downloads what is left"
    yield f"{begin} web --sandbox", "all of it in your browser"


def _text(where: dict[str, str], document: dict[str, Any], typed: Sequence[tuple[str, str]]) -> str:
    lines = [
        "",
        f"videos    {where['videos']}{os.sep}",
        f"table     {where['table']}",
        f"database  {where['database']}",
        f"spent     ${where['spent']} of play money, of at most ${where['cap']}",
    ]
    for state, words in _ON_PURPOSE.items():
        if keys := document[state]:
            lines += ["", textwrap.fill(f"{state}, on purpose: {keys[0]}. {words}", 79)]
    lines += ["", "Type next, from this folder and in this order:"]
    for line, meaning in typed:
        lines += ["", f"# {meaning}", line]
    return "\n".join(lines)
