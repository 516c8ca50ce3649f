"""Batches for programs: what the command line does with a manifest, from a script or a notebook.

Engine, promises and database are the command line's own: ``batchsora run`` continues a batch that a
script began, and the other way round.
"""

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent import futures
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Unpack

from batchsora.composition.databases import existing_store, working_store
from batchsora.composition.exit_codes import Exit
from batchsora.composition.ownership import owner_of
from batchsora.composition.session import RunDependencies, StopSignal
from batchsora.file_names import checked
from batchsora.keywords import check_texts, run_options
from batchsora.manifest.read import Manifest
from batchsora.options import ReadingOptions, RunKeywords, RunOptions
from batchsora.presentation.json_shapes import batch_json, job_json
from batchsora.settings import read_settings
from batchsora.usecases.from_options import load_options, source_of, terms_of
from batchsora.usecases.kept_reading import as_before, words_used
from batchsora.usecases.load import is_capped, load_manifest
from batchsora.usecases.manifest_options import Source, fitted_folder
from batchsora.usecases.plan import make_plan, plan_json
from batchsora.usecases.start import StartRequest, start
from batchsora.usecases.user_interface import Context
from jobs.database import schema
from jobs.model.errors import NotAllowedError
from jobs.model.states import HeldBack
from jobs.ports.loading import LoadReport
from jobs.ports.seen import BatchStatus, JobRow
from jobs.ports.selection import Wanted

USUAL: Final = RunOptions()
POLL = 0.2
"""Seconds between two looks whether a run in another thread is over, so that Ctrl-C is heard."""


@dataclass(frozen=True, slots=True)
class RunReport:
    """How a run ended.

    Attributes:
        exit: the command line's exit code: 0 all done, 3 some failed, 4 stopped by money, 7 in
            doubt, 8 the API is out of reach, 130 interrupted (docs/design.md).
        status: of the batch, as in ``status --json``.
        notes: what a person would have been told.
    """

    exit: int
    status: dict[str, Any]
    notes: tuple[str, ...]

    @property
    def done(self) -> bool:
        """Check that every row has its video."""
        return self.exit == Exit.DONE


@dataclass(frozen=True, slots=True)
class JobResult:
    """One wanted video, and what became of it.

    Attributes:
        status: ``queued submitting in_doubt pending processing completed failed cancelled``.
        price: in USD, what its attempts were charged.
        file: the downloaded video.
        error_kind: ``validation image content system timeout overdue unknown no-file``, if it
            failed.
        cells: the manifest's row as written.
    """

    key: str
    row: int
    status: str
    prompt: str
    generation_id: str | None
    price: Decimal
    video_url: str | None
    file: Path | None
    error_kind: str | None
    error: str | None
    attempts: int
    cells: dict[str, str]
    _json: dict[str, Any] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return one flat record: the manifest's own columns, then those of ``jobs --json``."""
        return {**self.cells, **self._json}


def job_result(job: JobRow) -> JobResult:
    """Make a result of a job with its last attempt and file."""
    return JobResult(
        key=job.key,
        row=job.row,
        status=job.state,
        prompt=job.prompt,
        generation_id=job.generation_id,
        price=Decimal(job.charged_micros) / 1_000_000,
        video_url=job.video_url,
        file=Path(job.file) if job.file and job.sha256 else None,
        error_kind=job.error_kind,
        error=job.error,
        attempts=job.attempts,
        cells=dict(job.cells),
        _json=job_json(job),
    )


class Batch:
    """A manifest and its batch in the database.

    Args:
        manifest: path of a table; None for a batch that was loaded before.
        name: of the batch; the manifest's own by default.
        database: the SQLite file; ``BATCHSORA_DB``, else ``batchsora.db``.
        base_url: of the API; ``BATCHSORA_BASE_URL``, else RunBlob's.
        token: of the account; else as the command line finds it.
        sandbox: rehearse on this machine, without money.
        sheet: of a workbook; the first one by default.
        include_hidden: also read the hidden rows of a sheet.
        ignore_pictures: ignore pictures placed over the cells of a row.
        embedded_images: use the pictures over or in a row's cells as its image.
        columns: meaning of headers, as ``{"What you see": "prompt"}``.
        defaults: values for empty cells, as ``{"duration": "15"}``.
        delimiter: of a text table, if it can't be detected.
        encoding: of a text table that is not UTF-8.
        allow_outside: accept images outside the manifest's folder.
        fit_images: convert and shrink pictures that would be refused.
        file_name: pattern of the files' names, as ``{campaign}/{id}-{prompt:40}``.

    Raises:
        SettingsError: database or address can't be used.
        ValueError: neither a manifest nor a name, or a pattern that can't name files.
    """

    def __init__(
        self,
        manifest: str | Path | None = None,
        *,
        name: str | None = None,
        database: str | Path | None = None,
        base_url: str | None = None,
        token: str | None = None,
        sandbox: bool = False,
        sheet: str | None = None,
        include_hidden: bool | None = None,
        ignore_pictures: bool | None = None,
        embedded_images: bool | None = None,
        columns: Mapping[str, str] | None = None,
        defaults: Mapping[str, str] | None = None,
        delimiter: str | None = None,
        encoding: str | None = None,
        allow_outside: bool = False,
        fit_images: bool = False,
        file_name: str | None = None,
    ) -> None:
        if manifest is None and name is None:
            raise ValueError("pass a manifest, or the name of a batch that was loaded before")
        check_texts(name=name, base_url=base_url, sheet=sheet, delimiter=delimiter)
        check_texts(encoding=encoding, columns=columns, defaults=defaults, file_name=file_name)
        if token is not None and not isinstance(token, str):
            raise TypeError("token must be text")  # never shown
        self._source: Source | None = None
        if manifest is not None:
            reading = ReadingOptions(
                sheet=sheet,
                include_hidden=include_hidden,
                ignore_pictures=ignore_pictures,
                embedded_images=embedded_images,
                columns=columns or {},
                defaults=defaults or {},
                delimiter=delimiter,
                encoding=encoding,
                allow_outside=allow_outside,
                fit_images=fit_images or None,
                file_name=None if file_name is None else checked(file_name),
            )
            self._source = source_of(Path(manifest), reading)
        self._name = name
        self._settings = read_settings(
            database=str(database or os.environ.get("BATCHSORA_DB") or "") or None,
            base_url=base_url or os.environ.get("BATCHSORA_BASE_URL"),
            token=token,
            token_file=os.environ.get("BATCHSORA_TOKEN_FILE"),
            sandbox=sandbox,
        )

    def __repr__(self) -> str:
        return f"Batch({self._name or (self._source and self._source.path)!r})"

    def plan(
        self, *, max_in_flight: int = USUAL.max_in_flight, rate: float = USUAL.rate
    ) -> dict[str, Any]:
        """Return what would be bought, as ``plan --json`` does; nothing is written or paid.

        Raises:
            ManifestError: the manifest can't be read.
            ValueError: there is no manifest.
        """
        options = RunOptions(name=self._name, max_in_flight=max_in_flight, rate=rate)
        source, database = self._reading(), self._settings.database
        there = schema.version(database) is not None
        with (
            source.looked_at(database) as manifest,
            existing_store(database) if there else nullcontext() as store,
        ):
            said_before = list(words_used(source, manifest))
            return plan_json(make_plan(manifest, options, store)) | {"said_before": said_before}

    def load(self, **options: Unpack[RunKeywords]) -> LoadReport:
        """Load the manifest and keep its caps; ``run`` does so itself.

        Raises:
            ManifestError, InvalidRowsError: rows are wrong; nothing was loaded.
            EngineError: nothing was loaded.
        """
        said = self._options(options)
        manifest, deps = self._opened(), RunDependencies()
        with working_store(
            self._settings.database, deps.clock, lambda: owner_of(self._settings)
        ) as store:
            loading, caps = load_options(said, quiet=True), terms_of(said)
            if is_capped(store, manifest, said.name, caps):
                loading = replace(loading, held_back=HeldBack.NOT_LOOKED)
            return load_manifest(store, manifest, loading, caps, deps.clock.now())[0]

    def run(
        self,
        observer: Callable[[dict[str, Any]], None] | None = None,
        **options: Unpack[RunKeywords],
    ) -> RunReport:
        """Load, submit, poll and download until nothing is left, or something is in the way.

        It works in its own thread, so it may be called where an event loop runs. Ctrl-C lets what
        is under way finish first; a second one stops at once. Both raise ``KeyboardInterrupt`` when
        everything is written, and the next run continues.

        Args:
            observer: called with the batch, as in ``status --json``, whenever it has changed, in
                the run's thread.
            **options: as of ``batchsora run``; without ``budget``, kept or given, nothing is bought
                unless ``yes=True``.

        Raises:
            NotAllowedError: there is no cap, and no ``yes``: nothing was bought.
            ManifestError, InvalidRowsError, SettingsError, EngineError, ProviderError: the same.
        """
        switch, work = self._begun(observer, options)
        interrupted = False
        while not work.done():
            try:
                futures.wait([work], POLL)
            except KeyboardInterrupt:
                interrupted = True
                switch()
        if interrupted:
            raise KeyboardInterrupt
        return work.result()

    async def run_async(
        self,
        observer: Callable[[dict[str, Any]], None] | None = None,
        **options: Unpack[RunKeywords],
    ) -> RunReport:
        """Run as :meth:`run` does, beside the caller's event loop; cancelling it stops the run."""
        switch, work = self._begun(observer, options)
        cancelled: asyncio.CancelledError | None = None
        while not work.done():
            try:
                await asyncio.sleep(POLL)
            except asyncio.CancelledError as error:
                cancelled = error
                switch()
        if cancelled is not None:
            raise cancelled
        return work.result()

    def status(self) -> dict[str, Any]:
        """Return the batch, as one entry of ``batches`` in ``status --json``.

        Raises:
            NotFoundError: it was not loaded yet.
        """
        with existing_store(self._settings.database) as store, store.queries.snapshot() as seen:
            return batch_json(seen.status(seen.batches(self.name)[0]), None)

    def results(self, *states: str) -> Iterator[JobResult]:
        """Return the rows and what became of them, in the manifest's order.

        Args:
            *states: only rows in these states, if any are given.

        Raises:
            NotFoundError: the batch was not loaded yet.
        """
        with existing_store(self._settings.database) as store:
            found = store.queries.jobs(Wanted(self.name, states))
        yield from map(job_result, found)

    @property
    def name(self) -> str:
        """Name the batch."""
        return self._name or self._opened().name

    def _reading(self) -> Source:
        """Return the manifest with its saved options."""
        if self._source is None:
            raise ValueError("this batch was opened by name and has no manifest")
        return as_before(self._source, self._settings.database, self._name)

    def _opened(self) -> Manifest:
        return self._reading().opened(fitted_folder(self._settings.database))

    def _options(self, said: RunKeywords) -> RunOptions:
        batch = None if self._source is not None else self._name
        return run_options(said, name=self._name, batch=batch, sandbox=self._settings.sandbox)

    def _begun(
        self, observer: Callable[[dict[str, Any]], None] | None, said: RunKeywords
    ) -> tuple[StopSignal, "futures.Future[RunReport]"]:
        """Start a run in its own thread, with its own event loop."""
        if observer is not None and not callable(observer):  # else told after all was bought
            raise TypeError(f"the observer must be a function of a batch, not {observer!r}")
        switch = StopSignal()
        pool = futures.ThreadPoolExecutor(1, f"run of {self!r}")
        work = pool.submit(self._run, observer, said, switch)
        pool.shutdown(wait=False)
        return switch, work

    def _run(
        self,
        observer: Callable[[dict[str, Any]], None] | None,
        said: RunKeywords,
        switch: StopSignal,
    ) -> RunReport:
        def tell(found: Sequence[BatchStatus]) -> None:
            for status in found:
                if observer is not None and status.name == name:
                    observer(batch_json(status, None))

        name = None if observer is None else self.name
        told = None if observer is None else tell
        notes, options = _Notes(), self._options(said)
        request = StartRequest(self._source, options, terms_of(options))
        deps = RunDependencies(quiet=True, switch=switch, observer=told)
        code = start(request, Context(self._settings, deps, notes))
        if code is Exit.USAGE and not notes.ended:
            raise NotAllowedError(notes.said[-1])
        return RunReport(int(code), self.status(), tuple(notes.said))


class _Notes:
    """Hears what a person would be told; nobody is there to ask."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.ended = False

    def say(self, text: str = "") -> None:
        self.said.append(text)

    @staticmethod
    def can_ask() -> bool:
        return False

    @staticmethod
    def confirm(question: str) -> bool:
        del question
        return False

    @staticmethod
    def amount(question: str) -> None:
        del question

    def result(self, document: Any, text: Callable[[], str]) -> None:
        del document, text
        self.ended = True
