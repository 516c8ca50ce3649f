"""Manifests that a library reads, or that are held as a whole: read once, in a separate process.

The process reads the file to its last row, and its answer is kept: the rows can be read again
without the file. The answer's lines are the head, then a list for each row, or a problem; it ends
with a refusal, or with what to report about rows that were left out.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import import_module, util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from batchsora.apart import ApartError, Spool, ask, bounds_for
from batchsora.manifest.errors import ManifestError, RowProblem, UnreadableError, refused
from batchsora.manifest.raw import (
    PLAIN,
    Embedded,
    RawRow,
    RawTable,
    Reading,
    Settings,
    check_regular,
    embedded_in,
    hidden_in,
    warnings_of,
)

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")
TASK: Final = "batchsora.manifest.formats.apart_table:prepare"

_SHEET: Final = "batchsora.manifest.formats.sheet_reader:open_sheet"
_YAML: Final = "batchsora.manifest.formats.yaml_tree:open_yaml"
_JSON: Final = "batchsora.manifest.formats.json_reader:open_json"
_READERS: Final[Mapping[str, str]] = {".yaml": _YAML, ".yml": _YAML, ".json": _JSON}
"""Where the readers are; all other files are workbooks."""
_LIBRARIES: Final[Mapping[str, str]] = {
    **dict.fromkeys((".yaml", ".yml", ".json"), ""),
    ".ods": "batchsora.manifest.books.ods",
    **dict.fromkeys((".xls", ".xlsb"), "python_calamine"),
}
"""What a reader imports only when it reads; all other files are Excel's."""
_TOLD: Final = b'{"told"'
_SPLIT: Final = "Copy the table alone into a new file, split it, or save it as CSV UTF-8."


@dataclass(frozen=True, slots=True)
class ApartTable:
    """A manifest that was read in a separate process."""

    path: Path
    headers: tuple[str, ...]
    header_row: int | None
    sheet: str | None
    settings: Settings
    warnings: tuple[RowProblem, ...]
    hidden: bool
    embedded: tuple[Embedded, ...]
    _answer: Spool

    def rows(self) -> Iterator[RawRow | RowProblem]:
        """Return the rows; raise ManifestError if the file could not be read to its end."""
        from batchsora.manifest import answers  # noqa: PLC0415 - as below

        file = str(self.path)
        lines = self._answer.lines()
        next(lines)
        for line in lines:
            said = _decoded(self.path, line, answers.ROW)
            if isinstance(said, tuple):
                yield RawRow(*said)
            elif isinstance(said, answers.Refused):
                raise ManifestError(said.refused.of(file))
            elif isinstance(said, answers.Told):
                return
            else:
                yield said.problem.of(file)


def open_apart(path: Path, reading: Reading = PLAIN) -> ApartTable:
    """Read a manifest apart; raise ManifestError if it is refused, or costs more than it may."""
    check_regular(path)
    given = {"path": str(path.absolute()), "reading": reading.as_json()}
    from batchsora.manifest import answers  # noqa: PLC0415 - pydantic, which readers don't need

    try:
        answer = ask(TASK, given, bounds_for(path.stat().st_size))
    except ApartError as error:
        raise _unreadable(path, error) from error
    except OSError as error:
        raise refused(
            str(path),
            f"no process or no disk space is available to read it: {error.strerror}",
            "Free some memory, and some disk space for temporary files.",
        ) from error
    said = _decoded(path, next(answer.lines(), b""), answers.FIRST)
    if isinstance(said, answers.Refused):
        raise ManifestError(said.refused.of(str(path)))
    head, last = said.head, answer.last()
    told = _decoded(path, last, answers.ROW) if last.startswith(_TOLD) else None
    if not isinstance(told, answers.Told):
        told = answers.Told(told=[], hidden=False, embedded=[])
    return ApartTable(
        path,
        tuple(head.headers),
        head.header_row,
        head.sheet,
        Settings(head.batch, head.budget, head.campaign_budgets),
        tuple(one.of(str(path)) for one in told.told),
        told.hidden,
        tuple(Embedded(**one.model_dump()) for one in told.embedded),
        answer,
    )


def _decoded(path: Path, line: bytes, kind: "TypeAdapter[T]") -> T:
    from batchsora.apart.answers import decoded  # noqa: PLC0415 - as above

    try:
        return decoded(line, kind)
    except ApartError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: ApartError) -> ManifestError:
    reason = f"the file can't be read: {error}"
    return UnreadableError(RowProblem(str(path), reason, _SPLIT))


def prepare(given: Mapping[str, Any]) -> Callable[[], Iterator[Any]]:
    """Import what reads a manifest, in the separate process; return the function that reads."""
    path = Path(given["path"])
    suffix = path.suffix.lower()
    module, _, name = _READERS.get(suffix, _SHEET).partition(":")
    read: Callable[[Path, Reading], RawTable] = getattr(import_module(module), name)
    import_library(suffix)
    return lambda: _told(path, read, Reading.of(given["reading"]))


def import_library(suffix: str) -> None:
    """Import what the reader of a format would import only when it reads."""
    library = _LIBRARIES.get(suffix, "batchsora.manifest.books.xlsx")
    if library and util.find_spec(library) is not None:  # if not, the reader says so
        import_module(library)


def _told(path: Path, read: Callable[[Path, Reading], RawTable], reading: Reading) -> Iterator[Any]:
    """Return a table: its head, its rows, or why it is refused."""
    try:
        table = read(path, reading)
        yield {"head": _head(table)}
        for item in table.rows():
            if isinstance(item, RowProblem):
                yield {"problem": asdict(item)}
            else:
                yield [*item] if item.defaulted else [item.row, item.cells]
        told, pictures = warnings_of(table), embedded_in(table)
        if told or pictures:
            yield {
                "told": [asdict(one) for one in told],
                "hidden": hidden_in(table),
                "embedded": [asdict(one) for one in pictures],
            }
    except ManifestError as error:
        yield {"refused": asdict(error.problem)}


def _head(table: RawTable) -> dict[str, Any]:
    said = table.settings
    budgets = {name: format(budget, "f") for name, budget in said.campaign_budgets.items()}
    return {
        "headers": table.headers,
        "header_row": table.header_row,
        "sheet": table.sheet,
        "batch": said.batch,
        "budget": None if said.budget is None else format(said.budget, "f"),
        "campaign_budgets": budgets,
    }
