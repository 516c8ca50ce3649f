"""Manifests on the page: which there are, and the plan of one, as ``batchsora plan`` makes it."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request

from batchsora.composition.databases import existing_store
from batchsora.composition.session import endpoint, read_balance
from batchsora.manifest.errors import ManifestError, RowProblem
from batchsora.manifest.raw import Reading
from batchsora.option_kinds import words_of
from batchsora.options import ReadingOptions, RunOptions
from batchsora.presentation.cost import Cost
from batchsora.settings import SettingsError
from batchsora.usecases.from_options import reading_of
from batchsora.usecases.kept_reading import as_before, words_used
from batchsora.usecases.load import ADHOC, moved_sheet
from batchsora.usecases.manifest_options import Source, sha256_of
from batchsora.usecases.plan import Plan, limits, make_plan
from batchsora.web.kept_manifests import Chosen, digest, pictures_of
from batchsora.web.reading_fields import Looked, is_said, look, read_spoken, sheet_said
from batchsora.web.uploads import Form
from batchsora.web.web_context import WebContext
from batchsora.web.written_fields import picture_folders, written_said
from jobs.model.errors import LoadError
from jobs.model.money import cap_micros
from jobs.model.provider import ProviderError

MOST_PLANS: Final = 4  # plans that are kept: each has every problem of its manifest
MOST_LOOKS: Final = 16  # heads of files that are kept
BALANCE_GOOD: Final = 30.0  # seconds for which a balance is shown again
_OF_ONE_FORM: Final = ("token", "agreed")
PATIENCE: Final = 5.0  # seconds to wait for the balance


@dataclass(frozen=True, slots=True)
class StartForm:
    """What a person wants done with a manifest."""

    options: RunOptions  # of the run; without a budget the manifest's applies, or the kept one
    said: ReadingOptions  # how the file is read

    def command(self, path: Path, sha256: str, download: Path) -> list[str]:
        """Return it as ``batchsora run`` of the content that was agreed to."""
        options = replace(
            self.options,
            yes=True,
            wait_for_runner=True,
            download=download.absolute(),
            manifest_sha256=sha256,
        )
        # written in any case: the configuration may have another value
        words = words_of(options, besides=["max_in_flight"])
        return ["run", *words, *words_of(self.said), "--", str(path)]


@dataclass(frozen=True, slots=True)
class Planned:
    """A manifest's plan, and what else its form shows."""

    plan: Plan  # as ``batchsora plan`` has it
    limits: list[str]  # what would stop a run before its end
    budget: int | None  # the manifest's own, in micros, or None
    misspelt: tuple[str, ...]  # columns that look misspelled
    exists: bool  # the batch is loaded already
    name_problem: str | None  # why the batch can't have its name, or None
    wrong_rows: int  # number of rows that can't be bought
    sha256: str  # of the file that was planned
    read_as: str  # a digest of how it was read; another one may buy other prompts at the same price
    used: int  # number of pictures that came with it and that rows name
    unused: tuple[str, ...]  # pictures that came with it and that no row names

    @property
    def jobs(self) -> int:
        """Return how many videos would be bought now."""
        return sum(self.plan.to_buy.values())

    @property
    def cost(self) -> Cost:
        """Return what they cost."""
        return self.plan.cost(self.plan.to_buy)


class Planner:
    """Makes plans in a thread, one at a time, and keeps the last ones."""

    def __init__(self, web: WebContext) -> None:
        self._web = web
        self._turn = asyncio.Lock()
        self._kept: OrderedDict[Any, Planned] = OrderedDict()
        self._looks: OrderedDict[Any, Looked] = OrderedDict()
        self._balance: tuple[float, int] | None = None
        self._said: OrderedDict[str, Form] = OrderedDict()
        self._aside: OrderedDict[str, tuple[str, ...]] = OrderedDict()

    def left_aside(self, chosen: Chosen, names: Sequence[str]) -> None:
        """Remember what came with a manifest and is not used, to be shown with its plan."""
        self._aside[chosen.token] = tuple(names)
        while len(self._aside) > MOST_LOOKS:
            self._aside.popitem(last=False)

    def remember(self, chosen: Chosen, form: Form | None) -> None:
        """Remember what a rehearsal was started with, to be shown when its plan is opened again.

        None forgets it: what was bought is kept with its batch.
        """
        self._said.pop(chosen.token, None)
        if form is not None:
            fields = {name: text for name, text in form.fields.items() if name not in _OF_ONE_FORM}
            self._said[chosen.token] = Form(fields)
        while len(self._said) > MOST_LOOKS:
            self._said.popitem(last=False)

    def remembered(self, chosen: Chosen) -> Form:
        """Return the form that is remembered for a manifest, or an empty one."""
        return self._said.get(chosen.token, Form())

    def aside(self, chosen: Chosen) -> tuple[str, ...]:
        """Return what came with a manifest and is not used, each with its reason."""
        return self._aside.get(chosen.token, ())

    async def plan(self, chosen: Chosen, start_form: StartForm) -> Planned:
        """Return a plan; it is made once for each state of the file and the database.

        Raises:
            ManifestError: the file is refused.
            jobs.model.errors.EngineError: the database can't be read.
        """
        async with self._turn:
            options = start_form.options
            more = (options.first, options.max_in_flight, self._web.mark())
            key = (*_read_key(chosen.path, start_form), *more)
            if key not in self._kept:
                self._kept[key] = await asyncio.to_thread(self._make, chosen, start_form)
            self._kept.move_to_end(key)
            while len(self._kept) > MOST_PLANS:
                self._kept.popitem(last=False)
            return self._kept[key]

    async def problems(self, chosen: Chosen, start_form: StartForm) -> list[RowProblem]:
        """Return what is wrong with the rows; it depends on the file and how it is read."""
        wanted = _read_key(chosen.path, start_form)
        for key, planned in reversed(self._kept.items()):
            if key[: len(wanted)] == wanted:
                return planned.plan.problems
        return (await self.plan(chosen, start_form)).plan.problems

    async def spoken(self, chosen: Chosen, form: Form, name: str | None) -> ReadingOptions:
        """Return how a form says the file is read; ``name`` is the batch's, if it was given.

        Raises:
            ManifestError: it can't be used.
        """
        own = chosen.pictures
        if not is_said(form):
            return ReadingOptions(images=None if own is None else str(own))
        async with self._turn:
            said = await asyncio.to_thread(self._spoken, chosen.path, form, name)
        return said if own is None or said.images else replace(said, images=str(own))

    def _spoken(self, path: Path, form: Form, name: str | None) -> ReadingOptions:
        folders = picture_folders(self._web.settings.database) if form.text("images") else {}
        return read_spoken(form, path, lambda said: self._look(path, name, said), folders)

    async def looked(self, chosen: Chosen, form: Form, name: str | None) -> Looked:
        """Return the head of a file, of the sheet that a form names, also without a plan.

        Raises:
            ManifestError: it can't be read as a table at all.
        """

        def work() -> Looked:
            said = written_said(form)
            found = self._look(chosen.path, name, said)
            sheet = sheet_said(form, found)
            more = replace(said, sheet=sheet)
            return found if sheet is None else self._look(chosen.path, name, more)

        async with self._turn:
            return await asyncio.to_thread(work)

    def _look(self, path: Path, name: str | None, said: Reading) -> Looked:
        key = (_stamp(path), name, repr(said), self._web.mark())
        if key not in self._looks:
            self._looks[key] = look(path, self._web.settings.database, name, said)
        self._looks.move_to_end(key)
        while len(self._looks) > MOST_LOOKS:
            self._looks.popitem(last=False)
        return self._looks[key]

    def _make(self, chosen: Chosen, start_form: StartForm) -> Planned:
        path, settings, options = chosen.path, self._web.settings, start_form.options
        sha256 = sha256_of(path)  # before it is read: another content meanwhile asks again
        said = start_form.said
        source = Source(path, reading_of(said), fit_images=said.fit_images)
        source = as_before(source, settings.database, options.name)
        with (
            source.looked_at(settings.database) as manifest,
            existing_store(settings.database) as store,
        ):
            plan = make_plan(manifest, options, store)
            plan.kept = words_used(source, manifest)
            # people know where their file is, and need not know where uploads are kept
            plan.warnings = [warning.removeprefix(f"{path}, ") for warning in plan.warnings]
            self._ask_balance(plan)
            exists, name_problem = False, None
            try:
                batch = store.queries.batch_of(options.name, manifest.name, manifest.source)
                exists = batch is not None and batch.removed_at is None
            except LoadError:
                name_problem = (
                    f"Another file was loaded as the batch {manifest.name!r}. Choose another "
                    f"name; or enter {manifest.name} here, if it is the same manifest, edited."
                )
            if moved := moved_sheet(store.queries, manifest, options.name):
                name_problem = (
                    f"The batch {moved.batch!r} was loaded from the sheet {moved.before!r}, and "
                    f"{moved.now!r} is read here. Choose the sheet {moved.before!r}, or enter "
                    "another name."
                )
            if ADHOC in (options.name, options.name or manifest.name):
                name_problem = f"The batch {ADHOC!r} is for single videos. Choose another name."
            return Planned(
                plan,
                list(limits(plan)),
                None if manifest.budget is None else cap_micros(manifest.budget),
                manifest.suspicious_columns,
                exists,
                name_problem,
                len({problem.row for problem in plan.problems}),
                sha256,
                digest(json.dumps([manifest.read_as, plan.mapped.as_json()], sort_keys=True)),
                *pictures_of(chosen, manifest.pictures),
            )

    def _ask_balance(self, plan: Plan) -> None:
        """Add the balance, or a warning why it is unknown."""
        now = self._web.clock.monotonic()
        if self._balance is not None and now - self._balance[0] < BALANCE_GOOD:
            plan.balance = self._balance[1]
            return
        try:
            with endpoint(self._web.settings) as place:
                plan.balance = read_balance(place, timeout=PATIENCE)
            self._balance = (now, plan.balance)
        except (ProviderError, SettingsError) as error:
            plan.warnings.append(f"the balance is unknown: {error}")


def _read_key(path: Path, start_form: StartForm) -> tuple[Any, ...]:
    """Return what decides which rows are read, and what is wrong with them."""
    return _stamp(path), start_form.options.name, repr(start_form.said)


def _stamp(path: Path) -> tuple[str, int, int, int, int]:
    """Return what names a file's content: who changes it can set its time, but not all of these."""
    try:
        found = path.stat()
    except OSError as error:
        raise ManifestError(
            RowProblem(path.name, "the file is gone", "Choose it again.")
        ) from error
    return str(path), found.st_mtime_ns, found.st_size, found.st_ino, found.st_ctime_ns


def planner_of(request: Request) -> Planner:
    """Return the planner of this server."""
    planner: Planner = request.app.state.planner
    return planner
