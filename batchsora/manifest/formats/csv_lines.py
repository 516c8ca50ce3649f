"""The lines of a text table, each of bounded length."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, TextIO

from batchsora.manifest.encodings import way_to_read
from batchsora.manifest.errors import ManifestError, refused
from batchsora.manifest.raw import unreadable

LONGEST_LINE: Final = 16 * 1024**2
"""Characters; the largest image as a data URI has 14 million."""


def lines_of(path: Path, file: TextIO) -> Iterator[str]:
    """Read lines of bounded length.

    Raises:
        ManifestError: not UTF-8, a NUL byte, a line too long, or an error of the disk.
    """
    number = 0
    try:
        while line := file.readline(LONGEST_LINE):
            number += 1
            if "\0" in line:
                raise refused(
                    str(path),
                    f"line {number} has a NUL byte: the file is UTF-16 without a byte order "
                    "mark, or not a text",
                    way_to_read(path),
                )
            if len(line) == LONGEST_LINE:
                raise refused(
                    str(path),
                    f"line {number} is longer than {LONGEST_LINE} characters",
                    "Is this a CSV file?",
                )
            yield line
    except UnicodeError as error:  # of UTF-16 also one without a byte order mark
        raise _undecodable(path, file.encoding) from error
    except OSError as error:
        raise unreadable(path, error) from error


def _undecodable(path: Path, encoding: str) -> ManifestError:
    """Find the line that is not in the encoding: the decoder reads ahead and doesn't know it."""
    name = "UTF-8" if encoding == "utf-8-sig" else encoding
    if encoding != "utf-8-sig":
        return refused(str(path), f"the file is not {name}", way_to_read(path))
    with path.open("rb") as file:
        number = 1
        while line := file.readline(LONGEST_LINE):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                shown = line[max(0, error.start - 20) : error.start + 20]
                return refused(
                    str(path),
                    f"line {number} is not {name}",
                    way_to_read(path),
                    found=shown.decode("latin-1").strip(),
                )
            number += line.endswith(b"\n")
    return refused(str(path), f"the file is not {name}", way_to_read(path))
