"""Write results into a copy of a workbook or a YAML manifest, in a separate, bounded process."""

import base64
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Final

from batchsora.apart import ApartError, Bounds, ask, bounds_for
from batchsora.workbook import WorkbookError
from batchsora.workbook.cells import Link

WORKBOOK: Final = "batchsora.manifest.formats.apart_results:prepare_workbook"
YAML: Final = "batchsora.manifest.formats.apart_results:prepare_yaml"
_PIECE: Final = 1024**2
"""Bytes of a copy in each line of the answer."""
_SECONDS_A_MB: Final = 20
_MEMORY_A_BYTE: Final = 60
_ANSWER_A_BYTE: Final = 4
"""More for each byte of the results than reading the file may cost; a cell is a tree of XML."""


def write_apart(task: str, source: Path, target: BinaryIO, told: Mapping[str, Any]) -> list[str]:
    """Write a copy of a manifest with results in a separate process; return notes for a person.

    ``task`` is :data:`WORKBOOK` or :data:`YAML`, ``told`` its arguments as JSON. Raises ValueError
    if the copy can't be made; the text says why.
    """
    from batchsora.apart.answers import decoded, nonsense  # noqa: PLC0415 - pydantic
    from batchsora.manifest.answers import COPY, Notes, Piece, Unwritable  # noqa: PLC0415 - as above

    given = {"path": str(source.absolute()), **told}
    try:
        size = len(json.dumps(given))
        answer = ask(task, given, _bounds(source.stat().st_size, size))
        notes: list[str] | None = None
        for line in answer.lines():
            if notes is not None:
                raise nonsense()
            match decoded(line, COPY):
                case Unwritable(unwritable=why):
                    raise ValueError(why)
                case Notes(notes=notes):
                    pass
                case Piece(piece=piece):
                    target.write(piece)
        if notes is None:
            raise nonsense()
    except ApartError as error:
        raise ValueError(f"the results can't be written into {source}: {error}") from error
    return notes


def _bounds(file: int, results: int) -> Bounds:
    """Return what making a copy may cost, by the bytes of the file and of the results."""
    read = bounds_for(file)
    return Bounds(
        read.seconds + _SECONDS_A_MB * (results // 1024**2),
        read.memory + _MEMORY_A_BYTE * results,
        read.answer + _ANSWER_A_BYTE * results,
    )


def packed(value: object) -> Any:
    """Return a cell as JSON."""
    match value:
        case Decimal():
            return {"number": str(value)}
        case datetime():
            return {"time": value.isoformat()}
        case Link():
            return {"link": asdict(value)}
    return value


def unpacked(value: Any) -> Any:
    """Return a cell that was :func:`packed`."""
    match value:
        case {"number": number}:
            return Decimal(number)
        case {"time": time}:
            return datetime.fromisoformat(time)
        case {"link": link}:
            return Link(**link)
    return value


def prepare_workbook(given: Mapping[str, Any]) -> Callable[[], Iterator[Any]]:
    """Import, in the separate process, what writes into a workbook."""
    workbook = import_module("batchsora.workbook.annotate")

    def write(target: BinaryIO) -> list[str]:
        notes: list[str] = workbook.annotate(
            Path(given["path"]),
            target,
            given["sheet"],
            given["header_row"],
            {
                row: {name: unpacked(value) for name, value in cells.items()}
                for row, cells in given["results"]
            },
            set(given["failed"]),
            workbook.Columns(given["headers"], given["there"], given["width"]),
            given["suffix"],
        )
        return notes

    return lambda: _told(write)


def prepare_yaml(given: Mapping[str, Any]) -> Callable[[], Iterator[Any]]:
    """Import, in the separate process, what writes into YAML."""
    yaml_results = import_module("batchsora.manifest.formats.yaml_results")

    def write(target: BinaryIO) -> list[str]:
        text = io.StringIO(newline="")
        results: dict[int, Sequence[Mapping[str, object]]] = dict(given["results"])
        yaml_results.write_yaml_results(Path(given["path"]), text, results, given["keys"])
        target.write(text.getvalue().encode())
        return []

    return lambda: _told(write)


def _told(write: Callable[[BinaryIO], list[str]]) -> Iterator[Any]:
    """Return a copy: its bytes in pieces and what a person should know, or why there is none."""
    from batchsora.manifest.errors import ManifestError  # noqa: PLC0415 - prepared by then

    target = io.BytesIO()
    try:
        notes = write(target)
    except (WorkbookError, ManifestError, ValueError) as error:
        yield {"unwritable": str(error)}
        return
    content = target.getbuffer()
    for place in range(0, len(content), _PIECE):
        yield {"piece": base64.b64encode(content[place : place + _PIECE]).decode()}
    yield {"notes": notes}
