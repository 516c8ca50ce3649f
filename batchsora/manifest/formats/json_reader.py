"""Read JSON: manifests of the same shape as in YAML, and JSONL with one job per line.

Numbers stay as they are written and lines are known, so everything beyond the syntax is shared with
YAML. A JSON file is held as a whole; JSONL is read as a stream.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from batchsora.manifest.errors import RowProblem, refused
from batchsora.manifest.formats.csv_lines import LONGEST_LINE
from batchsora.manifest.formats.csv_reader import MOST_CELLS
from batchsora.manifest.formats.json_tree import line_node, read_document, read_line
from batchsora.manifest.formats.tree import UNWRITABLE, read_text, undecodable
from batchsora.manifest.formats.tree_table import TreeTable, collect, read_jobs, spelt, table_of
from batchsora.manifest.raw import (
    PLAIN,
    RawRow,
    Reading,
    Settings,
    check_regular,
    encoding_of,
    unreadable,
)
from batchsora.manifest.rows.columns import MOST_COLUMNS
from batchsora.manifest.rows.headers import LONGEST_HEADER

_ONE_DOCUMENT: Final = 'Fix it there. A file with one job per line ends with ".jsonl".'
_ONE_A_LINE: Final = (
    'Write one job per line. A list over several lines needs a file that ends with ".json".'
)


def open_json(path: Path, reading: Reading = PLAIN) -> TreeTable:
    """Read a JSON manifest.

    Raises:
        ManifestError: it is not JSON, or not a manifest.
    """
    check_regular(path)
    text = read_text(path, reading.encoding)
    if "\r" in text:  # as editors count lines
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return table_of(path, read_document(str(path), text, _ONE_DOCUMENT))


@dataclass(frozen=True, slots=True)
class JsonLines:
    """A JSONL manifest whose columns were collected.

    Attributes:
        names: what each column is (ours, or its key), in the order of their first use.
        headers: the same columns as written, in their first spelling.
    """

    path: Path
    encoding: str
    names: tuple[str, ...]
    headers: tuple[str, ...]

    header_row = None
    sheet = None

    @property
    def settings(self) -> Settings:
        """Return none: JSONL only has jobs."""
        return Settings()

    def rows(self) -> Iterator[RawRow | RowProblem]:
        """Return the lines as rows, without blank ones.

        Raises:
            ManifestError: the file can't be read to its end, or has other columns than before.
        """
        known = frozenset(self.names)
        file = str(self.path)
        values = _values(self.path, self.encoding)
        nodes = (line_node(file, number, value) for number, value in values)
        for job in read_jobs(file, nodes):
            if isinstance(job, RowProblem):
                yield job
                continue
            line, cells = job
            if not cells.keys() <= known:
                raise refused(file, "the file changed while it was read", "Run the command again.")
            yield RawRow(line, [cells.get(name, "") for name in self.names])


def open_jsonl(path: Path, reading: Reading = PLAIN) -> JsonLines:
    """Collect the columns of a JSONL manifest.

    Raises:
        ManifestError: a line is not JSON, or there is none.
    """
    check_regular(path)
    encoding = encoding_of(path, reading.encoding)
    found: dict[str, str] = {}
    line = 0
    keys: tuple[str, ...] | None = None
    for line, value in _values(path, encoding):
        if isinstance(value, dict) and tuple(value) == keys:
            continue  # as most lines are
        keys = tuple(value) if isinstance(value, dict) else None
        before = len(found)
        collect(line_node(str(path), line, value), found)
        if len(found) == before:
            continue
        if len(found) > MOST_COLUMNS or any(len(key) > LONGEST_HEADER for key in found):
            raise refused(
                str(path),
                f"there are more than {MOST_COLUMNS} keys, or one of more than {LONGEST_HEADER} "
                "characters",
                "Give every line the same keys.",
                row=line,
            )
    if not line:
        raise refused(str(path), "the file is empty", _ONE_A_LINE)
    return JsonLines(path, encoding, tuple(found), spelt(found))


def _values(path: Path, encoding: str) -> Iterator[tuple[int, Any]]:
    """Read the lines that are not blank, as Python's decoder returns them."""
    for number, text in _lines(path, encoding):
        yield number, read_line(str(path), number, text, MOST_CELLS, _ONE_A_LINE)


def _lines(path: Path, encoding: str) -> Iterator[tuple[int, str]]:
    number = 0
    try:
        with path.open(encoding=encoding) as file:
            while text := file.readline(LONGEST_LINE):
                number += 1
                if len(text) == LONGEST_LINE:
                    raise refused(
                        str(path),
                        f"the line is longer than {LONGEST_LINE} characters",
                        "Name images by path instead of writing them out.",
                        row=number,
                    )
                if not text.isspace():
                    yield number, text
    except UnicodeError as error:
        raise undecodable(path, encoding, _undecodable_line(path, encoding)) from error
    except OSError as error:
        raise unreadable(path, error) from error


def _undecodable_line(path: Path, encoding: str) -> int | None:
    """Find the line that is not UTF-8: the decoder reads ahead and doesn't know it."""
    if encoding != "utf-8-sig":
        return None
    with path.open(encoding=encoding, errors="surrogateescape") as file:
        number = 0
        while text := file.readline(LONGEST_LINE):
            number += 1
            if not text.isascii() and UNWRITABLE.search(text):
                return number
    return None
