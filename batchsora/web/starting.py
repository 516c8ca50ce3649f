"""Starting what a manifest asks for: the form as it was understood, and the two ways to begin.

Where nobody runs, a process of its own does what ``batchsora run`` does. Where a run goes on, the
manifest is loaded here, under the same rules and caps, and its jobs are handed to that run.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Final, TypeVar

from starlette.exceptions import HTTPException

from batchsora.app import wording
from batchsora.app.databases import existing_store
from batchsora.app.earlier import OnExisting
from batchsora.app.handover import Handed, look_and_hand
from batchsora.app.loading import LoadOptions, load_manifest
from batchsora.app.manifests import Source, fitted_folder
from batchsora.app.remembered import as_before
from batchsora.app.session import endpoint
from batchsora.manifest import values
from batchsora.manifest.errors import CellError
from batchsora.web.answers import Said
from batchsora.web.desk import Desk
from batchsora.web.planning import Planned, Way
from batchsora.web.spoken import Spoken
from batchsora.web.uploads import Form
from jobs.ports.loading import OnChange

T = TypeVar("T")

MOST_IN_FLIGHT: Final = 100_000
LARGEST_NUMBER: Final = 9
"""Digits of a number of rows."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants done with a manifest.

    Attributes:
        way: the batch's name, the first rows, and how many at the same time.
        budget: cap of the batch in USD; None leaves the manifest's, or the kept one.
        caps: of campaigns, in USD.
        skip_invalid: go on with the valid rows.
        allow_unknown: accept columns that look misspelt.
        existing: what to do about prompts that the account has made already.
        on_change: what to do about rows that were edited after they were paid for.
    """

    way: Way
    budget: Decimal | None = None
    caps: dict[str, Decimal] = field(default_factory=dict)
    skip_invalid: bool = False
    allow_unknown: bool = False
    existing: OnExisting = OnExisting.ASK
    on_change: OnChange = OnChange.STOP

    def command(self, path: Path, sha256: str, download: Path) -> list[str]:
        """Write it as ``batchsora run``.

        Args:
            path: of the manifest.
            sha256: of its content that was agreed to.
            download: the folder of the videos.
        """
        words = ["run", "--yes", "--wait-for-runner", f"--download={download.absolute()}"]
        words += [f"--manifest-sha256={sha256}"]
        words += [f"--max-in-flight={self.way.in_flight}"]
        words += [] if self.way.name is None else [f"--name={self.way.name}"]
        words += [] if self.way.first is None else [f"--first={self.way.first}"]
        words += [] if self.budget is None else [f"--budget={self.budget}"]
        words += [f"--cap={name}={cap}" for name, cap in self.caps.items()]
        words += ["--skip-invalid"] if self.skip_invalid else []
        words += ["--allow-unknown"] if self.allow_unknown else []
        words += self.way.said.words()
        words += _EXISTING[self.existing] + _CHANGED[self.on_change]
        return [*words, "--", str(path)]


_EXISTING: Final = {
    OnExisting.ASK: [],
    OnExisting.ADOPT: ["--adopt-existing"],
    OnExisting.BUY: ["--buy-again"],
}
_CHANGED: Final = {
    OnChange.STOP: [],
    OnChange.REDO: ["--redo-changed"],
    OnChange.KEEP: ["--keep-both"],
}


@dataclass(slots=True)
class Read:
    """A form as it was understood.

    Attributes:
        wish: what is wanted, as far as it can be used.
        problems: what is wrong, in words, by field, in the form's order.
    """

    wish: Wish
    problems: dict[str, str]


def read_way(form: Form) -> tuple[Way, dict[str, str]]:
    """Understand name, first rows and pace of a form; gives what is wrong by field."""
    problems: dict[str, str] = {}
    read = _reader(form, problems)
    name = read("name", values.batch)
    first = read("first", lambda text: _number(text, 10**LARGEST_NUMBER - 1))
    in_flight = read("in_flight", lambda text: _number(text, MOST_IN_FLIGHT))
    return Way(name, first, in_flight or Way().in_flight), problems


def read_wish(form: Form, planned: Planned, said: Spoken, *, runs: bool) -> Read:
    """Understand a whole form.

    Args:
        form: as it came.
        said: what it says about how the file is read.
        planned: the plan by the form's own name and first rows.
        runs: a run goes on, which would take the batch over.
    """
    way, found = read_way(form)
    way = replace(way, said=said)
    problems: dict[str, str] = {}
    read = _reader(form, problems)
    budget = read("budget", money)
    if budget is None and "budget" not in problems and planned.plan.cap is None:
        problems["budget"] = "There is no cap. Give one, above which nothing is bought."
    problems |= found
    if planned.name_problem is not None and "name" not in problems:
        problems["name"] = planned.name_problem
    if runs and way.first is not None:
        problems["first"] = (
            "A run is going on, and it buys all rows. Leave this empty, or wait for its end."
        )
    caps: dict[str, Decimal] = {}
    for place, campaign in enumerate(planned.plan.campaigns):
        cap = read(f"cap-{place}", money) if form.text(f"campaign-{place}") == campaign else None
        if cap is not None:
            caps[campaign] = cap
    skip_invalid = form.text("skip_invalid") == "yes"
    if planned.plan.problems and not skip_invalid:
        problems["skip_invalid"] = "Some rows can't be bought. Mend them, or go on without them."
    allow_unknown = form.text("allow_unknown") == "yes"
    if planned.misspelt and not allow_unknown:
        problems["allow_unknown"] = (
            "A column looks like one of ours. Say above what it is, or confirm it."
        )
    existing = _one_of(OnExisting, form.text("existing"), OnExisting.ASK)
    if runs and existing is OnExisting.ADOPT:
        problems["existing"] = "A run is going on. Wait for its end to take videos over."
    on_change = _one_of(OnChange, form.text("on_change"), OnChange.STOP)
    wish = Wish(way, budget, caps, skip_invalid, allow_unknown, existing, on_change)
    return Read(wish, problems)


def _reader(form: Form, problems: dict[str, str]) -> Callable[[str, Callable[[str], T]], T | None]:
    def read(name: str, parse: Callable[[str], T]) -> T | None:
        try:
            return parse(form.text(name))
        except CellError as error:
            problems[name] = in_words(error)
            return None

    return read


def money(text: str) -> Decimal | None:
    """Read an amount in USD; empty is None.

    Raises:
        CellError: it is none.
    """
    return values.money(text) if text.strip() else None


def in_words(error: CellError) -> str:
    """Say beside a field what is wrong with it."""
    return f"{error.problem[:1].upper()}{error.problem[1:]}. {error.remedy}"


def _number(text: str, most: int) -> int | None:
    words = text.strip()
    if not words:
        return None
    if not (words.isascii() and words.isdecimal() and len(words) <= LARGEST_NUMBER):
        raise CellError("this is no number", "Write a whole number, such as 10.")
    if not 1 <= int(words) <= most:
        raise CellError("this number can't be used", f"Write one from 1 to {most}.")
    return int(words)


def _one_of(kind: type[T], text: str, otherwise: T) -> T:
    try:
        return kind(text)  # type: ignore[call-arg]
    except ValueError:
        return otherwise


def started_run(desk: Desk, command: list[str], name: str) -> str:
    """Start a run as a process of its own; gives the process's name in addresses.

    Args:
        desk: whose launcher it is.
        command: with its arguments.
        name: of the batch.

    Raises:
        HTTPException: 507, there is no room for it.
    """
    try:
        return desk.launcher.start(command, "run", name).id
    except OSError as error:
        raise HTTPException(
            507, f"No process can be started ({error.strerror}). Nothing was bought."
        ) from None


ENDED_MEANWHILE: Final = "the run has ended meanwhile, so this is not bought yet: press Go on again"
"""What is told when nobody is there any more to take jobs up."""


def taken_up(handed: Handed) -> str:
    """Say who buys what was handed over, and what is in the way of it."""
    if not handed.served:
        return ENDED_MEANWHILE
    return handed.words("the run that is going on takes it up")


def hand_over(desk: Desk, source: Source, wish: Wish) -> tuple[int, list[str]]:
    """Load a manifest, and hand its jobs to the run that is going on; called in a thread.

    Until it is known what exists already, nobody buys a row of it.

    Args:
        desk: whose database it is.
        source: the manifest, as it was agreed to.
        wish: what is wanted; it takes nothing over.

    Returns:
        The number of the batch, and what is to be told.

    Raises:
        SettingsError: there is no token.
        ManifestError, InvalidRowsError, EngineError: nothing was loaded.
        jobs.provider.ProviderError: it is loaded, and was not handed over.
    """
    settings, said = desk.settings, Said()
    source = as_before(source, settings.database, wish.way.name)
    manifest = source.opened(fitted_folder(settings.database))
    options = LoadOptions(
        name=wish.way.name,
        skip_invalid=wish.skip_invalid,
        allow_unknown=wish.allow_unknown,
        on_change=wish.on_change,
        comments=True,  # the plan has shown them
        quiet=True,
    )
    caps = replace(desk.standing, campaigns=desk.standing.campaigns | wish.caps)
    if wish.budget is not None:
        others = {name: cap for name, cap in caps.begin.items() if name != "batch"}
        caps = replace(caps, batch=wish.budget, begin=others)
    # a store of its own: other pages' changes don't wait until all rows are read
    with endpoint(settings) as place, existing_store(settings.database) as store:
        report, notes, skipped = load_manifest(store, manifest, options, caps, desk.clock.now())
        lines = [*wording.loaded(manifest.path.name, report, skipped), *notes]
        handed, left_out = look_and_hand(
            store, place, report.batch_id, wish.existing, desk.clock, said
        )
        if handed is None:
            lines.append(
                f"{len(left_out)} prompt(s) exist already in this account, so nothing was handed "
                "to the run: choose to buy them again, or start it when the run has ended"
            )
            return report.batch_id, lines
    return report.batch_id, [*lines, taken_up(handed)]
