"""Write results into a copy of the manifest that they came from, or into the manifest itself."""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from batchsora.export import beside, export_batches, results_of, workbook_cells
from batchsora.manifest.errors import ManifestError, rows_text
from batchsora.manifest.formats import apart_results
from batchsora.manifest.formats.csv_results import write_csv_results
from batchsora.manifest.formats.sheet_reader import EXCEL
from batchsora.manifest.formats.written import check_written
from batchsora.manifest.raw import Reading
from batchsora.manifest.read import Manifest
from batchsora.providers.model import START
from batchsora.result_columns import RESULT_NAMES, result_headers
from batchsora.tables import REST, TableError, check_place, replacing
from batchsora.workbook.cells import shortened, too_long
from jobs import system
from jobs.model.errors import DatabaseUnusableError
from jobs.model.provider import GenerationRequest
from jobs.model.spec import fingerprint
from jobs.model.states import JobState
from jobs.ports.loading import EXPORTS, RESULTS
from jobs.ports.seen import BatchRow, JobRow
from jobs.ports.selection import Wanted
from jobs.store import Store

YAML: Final = (".yaml", ".yml")
MOST_KEPT: Final = 100
"""Exports of a batch that are remembered, the latest ones."""


@dataclass(slots=True)
class Exported:
    """What an export wrote.

    Attributes:
        jobs: how many.
        notes: what a person should know about it.
        backup: the manifest as it was before results were written into it.
        near: the folder from which videos are named; None: the target's.
    """

    target: Path
    jobs: int = 0
    notes: list[str] = field(default_factory=list)
    backup: Path | None = None
    near: Path | None = None

    @property
    def folder(self) -> Path:
        """Return the folder from which videos are named."""
        return self.near or self.target.absolute().parent


def write_into(store: Store, batch: BatchRow, manifest: Manifest, done: Exported) -> None:
    """Write results into a copy of the manifest; raise a TableError if it can't be done."""
    try:
        asked = {spec.key: _Asked(spec.row, spec.request) for spec in manifest.named_rows()}
        by_row, gone, others = _by_row(store, batch.name, asked)
        done.jobs = sum(map(len, by_row.values()))
        if gone:
            done.notes.append(f"{gone} job(s) are not in it: their rows are no longer there")
        if others:
            done.notes.append(
                f"{rows_text(others)}: edited after the video was bought, so no results "
                "were written there. 'export -o' with a .csv writes those of all jobs"
            )
        folder = done.folder
        suffix = manifest.path.suffix.lower()
        mode = manifest.path.stat().st_mode
        headers = headers_in(manifest)
        reading = Reading.of(manifest.read_as)
        with replacing(done.target) as draft:
            if suffix in EXCEL:
                _annotate(store, batch, manifest, draft, by_row, done)
            elif suffix in YAML:
                results = [
                    (row, [{headers[name]: text for name, text in _texts(job, folder).items()}
                           for job in jobs])
                    for row, jobs in by_row.items()
                ]  # fmt: skip
                told = {"results": results, "keys": [*headers.values()]}
                apart_results.write_apart(apart_results.YAML, manifest.path, draft, told)
            else:
                lines = {row: _lines(jobs, folder) for row, jobs in by_row.items()}
                write_csv_results(manifest.path, draft, lines, headers, manifest.results, reading)
            if suffix not in YAML:  # which is read back where it is made
                draft.flush()
                written = Path(draft.name)
                check_written(manifest.path, written, headers, manifest.results, reading)
            if done.backup is not None:
                system.keep_mode(draft.fileno(), mode)
    except (ManifestError, ValueError) as error:
        raise TableError(str(error)) from error


def headers_in(manifest: Manifest) -> dict[str, str]:
    """Return the header of each result in a manifest, existing or new."""
    ours = set(manifest.results.values())
    own = [header for place, header in enumerate(manifest.headers) if place not in ours]
    return result_headers(own) | {
        name: manifest.headers[place] for name, place in manifest.results.items()
    }


def keep_results(store: Store, batch: BatchRow, manifest: Manifest) -> None:
    """Keep which columns of a manifest are ours, if the database can be written."""
    headers = sorted(headers_in(manifest).values())
    with suppress(DatabaseUnusableError):
        store.loading.keep_written([batch.id], RESULTS, lambda _: headers)


def write_beside(store: Store, batches: Sequence[BatchRow], done: Exported) -> None:
    """Write texts that are too long for a workbook's cell into a table for each batch.

    Raises:
        TableError: it can't be written.
    """
    for batch in batches:
        target = beside(done.target, batch.name if len(batches) > 1 else None)
        check_target_is_ours(store, target, [batch])
        export_batches(store, target, batch.name, near=done.near)
        remember(store, target, [batch])
        done.notes.append(
            f"a workbook's cell holds 32767 characters: the whole texts are in {target}"
        )


class _Asked(NamedTuple):
    """Where a row is now, and its request; pictures by their names alone."""

    row: int
    request: GenerationRequest


def _by_row(
    store: Store, batch: str, asked: Mapping[str, _Asked]
) -> tuple[dict[int, list[JobRow]], int, list[int]]:
    """Return a batch's jobs by the rows that have their keys now, and how many have no row.

    The last are rows with a job's key but another request; none of their jobs are among the first.
    """
    by_row: dict[int, list[JobRow]] = {}
    gone, others = 0, set()
    for job in store.queries.jobs(Wanted(batch)):
        now = asked.get(job.key)
        if now is None:
            gone += 1
        elif _is_asked(job, now.request):
            by_row.setdefault(now.row, []).append(job)
        else:
            others.add(now.row)
    order = {key: place for place, key in enumerate(asked)}
    for jobs in by_row.values():
        jobs.sort(key=lambda job: order[job.key])
    kept = {row: jobs for row, jobs in by_row.items() if row not in others}
    return kept, gone, sorted(others)


def _is_asked(job: JobRow, now: GenerationRequest) -> bool:
    """Check whether a row's request is what its job did: an id may be at another row by now."""
    # what a manifest said stays known of a job that was reworded by hand
    image, images = job.request.image, job.request.images
    if _sources(job.request) != _sources(now):
        return False
    before = job.manifest_fingerprint or job.fingerprint
    return fingerprint(replace(now, image=image, images=images)) == before


def _sources(request: GenerationRequest) -> dict[str, str | None]:
    """Return the images of a request by their roles, as its row names them."""
    first = None if request.image is None else request.image.source
    return {START: first} | {role: image.source for role, image in request.images.items()}


def _texts(job: JobRow, folder: Path) -> dict[str, str]:
    """Return a job's results as texts."""
    return {name: str(value) for name, value in results_of(job, folder).items()}


def _lines(jobs: Sequence[JobRow], folder: Path) -> dict[str, str]:
    """Return the results of a row, one line for each variant."""
    texts = [_texts(job, folder) for job in jobs]
    return {name: "\n".join(text[name] for text in texts).rstrip() for name in RESULT_NAMES}


def _annotate(
    store: Store,
    batch: BatchRow,
    manifest: Manifest,
    draft: BinaryIO,
    by_row: Mapping[int, Sequence[JobRow]],
    done: Exported,
) -> None:
    folder = done.folder
    failed = {
        row for row, jobs in by_row.items() if any(job.state == JobState.FAILED for job in jobs)
    }
    results: dict[int, dict[str, object]] = {}
    cut = False
    rest = REST.format(beside(done.target).name)
    for row, jobs in by_row.items():
        if len(jobs) == 1:
            results[row] = workbook_cells(results_of(jobs[0], folder))
        else:
            results[row] = dict(_lines(jobs, folder))
        for name, value in results[row].items():
            if isinstance(value, str) and too_long(value):
                results[row][name] = shortened(value, rest)
                cut = True
    if cut:
        write_beside(store, [batch], done)
    told = {
        "sheet": manifest.read_as["sheet"],
        "header_row": manifest.header_row or 1,
        "results": [
            (row, {name: apart_results.packed(value) for name, value in cells.items()})
            for row, cells in results.items()
        ],
        "failed": sorted(failed),
        "headers": headers_in(manifest),
        "there": {name: place + 1 for name, place in manifest.results.items()},
        "width": len(manifest.headers),
        "suffix": None if done.backup is not None else done.target.suffix.lower(),
    }
    done.notes += apart_results.write_apart(apart_results.WORKBOOK, manifest.path, draft, told)


# An export only replaces files that this database wrote for the same batches: it keeps path and
# SHA-256 of each. Any other file, or one that was changed since, is a person's own.


def check_target_is_ours(store: Store, target: Path, batches: Sequence[BatchRow]) -> None:
    """Raise a TableError unless a path is free, or an earlier export of the same batches."""
    check_place(target)
    if not target.exists():
        return
    for batch in store.queries.batches():
        path = _path_of(batch)
        if path is not None and path.exists() and target.samefile(path):
            raise TableError(
                f"{target} is the manifest of the batch {batch.name!r}, so nothing was written. "
                "'export --in-place' writes the results into it and keeps a copy of the original; "
                "or name another file."
            )
    name, digest = str(target.resolve()), _digest(target)
    if all(_exports(batch).get(name) == digest for batch in batches):
        return
    known = any(name in _exports(batch) for batch in batches)
    raise TableError(
        (
            f"{target} was changed since it was exported"
            if known
            else f"{target} exists, and is not an export of this batch"
        )
        + ", so nothing was written. Name another file, or move that one away; "
        "'export --in-place' writes into the batch's own manifest."
    )


def remember(store: Store, target: Path, batches: Iterable[BatchRow]) -> None:
    """Keep with each batch that a file is its export, if the database can be written."""
    name, digest = str(target.resolve()), _digest(target)

    def latest(kept: Any) -> dict[str, str]:
        others = [(path, was) for path, was in _paths(kept).items() if path != name]
        return dict([*others, (name, digest)][-MOST_KEPT:])

    with suppress(DatabaseUnusableError):
        store.loading.keep_written({batch.id for batch in batches}, EXPORTS, latest)


def _exports(batch: BatchRow) -> dict[str, str]:
    """Return the exports of a batch: SHA-256 by path."""
    return _paths((batch.reading or {}).get(EXPORTS))


def _paths(kept: Any) -> dict[str, str]:
    return kept if isinstance(kept, dict) else {}


def _path_of(batch: BatchRow) -> Path | None:
    named = (batch.reading or {}).get("path")
    return Path(os.fspath(named)) if isinstance(named, str) and "\0" not in named else None


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file; empty if it is not a regular file."""
    if not path.is_file():
        return ""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
