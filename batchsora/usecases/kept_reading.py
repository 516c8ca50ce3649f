"""How a manifest was read before: kept with its batch, and used again.

An option given now (``--map``, ``--sheet``, ``--encoding`` …) overrides a saved one. A saved header
that is gone is ignored if that changes nothing; if one of our columns would be without it, opening
stops (:func:`batchsora.manifest.rows.columns.refuse_gone`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from batchsora.composition.databases import existing_store
from batchsora.file_names import checked
from batchsora.manifest.encodings import still_written_so
from batchsora.manifest.errors import ManifestError, refused
from batchsora.manifest.formats.sheet_reader import EXCEL, OTHERS
from batchsora.manifest.heads import book_head
from batchsora.manifest.read import Manifest
from batchsora.manifest.rows.columns import gone
from batchsora.manifest.rows.headers import is_ours
from batchsora.manifest.rows.spelling import folded
from batchsora.usecases.manifest_options import Source
from jobs.database.schema import version
from jobs.model.errors import EngineError
from jobs.store import Store
from jobs.system import quote

_FLAGS: Final = ("include_hidden", "ignore_pictures", "embedded_images")
"""What is said of a workbook by a word alone; ``--no-…`` takes it back."""

_OPPOSITES: Final = {
    "ignore_pictures": "embedded_images",
    "embedded_images": "ignore_pictures",
}
"""A word that takes back another one."""


def as_before(source: Source, database: Path, name: str | None) -> Source:
    """Return a source with its saved options, if the database can be read without the lock."""
    try:
        if version(database) is None:
            return source
        with existing_store(database) as store:
            return as_kept(source, store, name)
    except EngineError:
        return source


def as_kept(source: Source, store: Store, name: str | None) -> Source:
    """Return a source with its saved options.

    Args:
        name: of the batch, if given; else it is found by the manifest's path, and by its sheet.

    Raises:
        ManifestError: other sheets of it were read before, and none is chosen now.
    """
    path = str(source.path.resolve())
    found: dict[str, Mapping[str, Any]] = {
        batch.name: batch.reading
        for batch in store.queries.batches()
        if isinstance(batch.reading, dict)
        and (batch.name == name if name is not None else batch.reading.get("path") == path)
    }
    sheet = source.reading.sheet
    if sheet is None and len(found) > 1 and source.path.suffix.lower() in (*EXCEL, *OTHERS):
        sheet = book_head(source.path).sheet
        if all(kept.get("sheet") != sheet for kept in found.values()):
            raise _which_sheet(source, sheet, found.values())
    if sheet is not None:
        found = {batch: kept for batch, kept in found.items() if kept.get("sheet") == sheet}
    if len(found) > 1:  # several batches of one table: the rows go into the newest
        place = path if sheet is None else f"{path}#{sheet}"
        newest = store.queries.find_batch(None, place)
        found = {batch: kept for batch, kept in found.items() if newest and batch == newest.name}
    return _merged(source, *found.values()) if found else source


def _which_sheet(
    source: Source, sheet: str | None, kept: Iterable[Mapping[str, Any]]
) -> ManifestError:
    """Make the error for a workbook of which only other sheets were read before."""
    known = sorted({str(one["sheet"]) for one in kept if one.get("sheet")})
    choices = " or ".join(
        f"--sheet {quote(name)}" for name in [*known, *([sheet] if sheet else [])]
    )
    return refused(
        str(source.path),
        f"several of its sheets were read before, but not the first one, {sheet!r}",
        f"Choose one: {choices}.",
    )


def _merged(source: Source, kept: Mapping[str, Any]) -> Source:
    now = source.reading
    spoken = {folded(header) for header in now.columns}
    targets = {name for name in now.columns.values() if name}
    before = {folded(header) for header in _texts(kept.get("columns"))}
    forgotten = [
        header for header, name in now.columns.items() if not name and folded(header) in before
    ]
    columns = {
        header: name
        for header, name in _texts(kept.get("columns")).items()
        if (not name or is_ours(name)) and name not in targets and folded(header) not in spoken
    }
    defaults = {
        name: text
        for name, text in _texts(kept.get("defaults")).items()
        if is_ours(name) and name not in now.defaults
    }
    sheet = kept.get("sheet") if kept.get("sheet_said") and now.sheet is None else None
    row = kept.get("header_row") if now.header_row is None else None
    row = row if isinstance(row, int) and row > 0 else None
    images = kept.get("images") if now.images is None else None
    images = images if isinstance(images, str) else None
    words = [_map_word(header, name) for header, name in columns.items()]
    words += [f"--default {quote(f'{name}={text}')}" for name, text in defaults.items()]
    again = [
        name
        for name in _FLAGS
        if getattr(now, name) is None
        and kept.get(name) is True
        and not getattr(now, _OPPOSITES.get(name, name))
    ]
    flags: dict[str, Any] = dict.fromkeys(again, True)
    words += [f"--{name.replace('_', '-')}" for name in flags]
    words += [] if row is None else [f"--header-row {row}"]
    words += [] if images is None else [f"--images {quote(images)}"]
    file_name = _pattern(kept) if now.file_name is None else None
    words += [] if file_name is None else [f"--file-name {quote(file_name)}"]
    so: dict[str, Any] = {
        name: text
        for name, text in still_written_so(source.path, kept).items()
        if getattr(now, name) is None
    }
    words += [f"--{name} {quote(text)}" for name, text in so.items()]
    fits = source.fit_images is None and kept.get("fit_images") is True
    words += ["--fit-images"] if fits else []
    if isinstance(sheet, str):
        words.insert(0, f"--sheet {quote(sheet)}")
    reading = replace(
        now,
        sheet=sheet if isinstance(sheet, str) else now.sheet,
        columns={**columns, **now.columns},
        defaults={name: text for name, text in {**defaults, **now.defaults}.items() if text},
        images=now.images if images is None else images,
        file_name=now.file_name if file_name is None else file_name,
        header_row=now.header_row if row is None else row,
        results=_results(kept) if kept.get("path") == str(source.path.resolve()) else (),
        kept=(*columns, *forgotten),
        **flags,
        **so,
    )
    return replace(
        source,
        reading=reading,
        fit_images=True if fits else source.fit_images,
        kept=tuple(words),
    )


def _pattern(kept: Mapping[str, Any]) -> str | None:
    """Return the saved pattern of file names, if it is one: a database may come from anywhere."""
    try:
        return checked(str(kept["file_name"])) if kept.get("file_name") else None
    except ValueError:
        return None


def _results(kept: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the headers of the columns that we wrote into the manifest."""
    found = kept.get("results")
    return tuple(one for one in found if isinstance(one, str)) if isinstance(found, list) else ()


def _texts(found: object) -> dict[str, str]:
    """Return the texts of a saved mapping; a database may come from anywhere."""
    pairs = found.items() if isinstance(found, dict) else ()
    return {key: text for key, text in pairs if isinstance(key, str) and isinstance(text, str)}


def _map_word(header: str, name: str) -> str:
    return f"--map {quote(f'{header}={name}')}"


def words_used(source: Source, manifest: Manifest) -> tuple[str, ...]:
    """Return the saved options that count for a manifest: its headers may have changed."""
    passed_over = {
        _map_word(header, name) for header, name in gone(source.reading, manifest.headers).items()
    }
    return tuple(word for word in source.kept if word not in passed_over)


def kept_line(words: Sequence[str]) -> str:
    """Return the line about saved options."""
    return f"read with your saved options: {' '.join(words)}"
