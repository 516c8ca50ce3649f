"""What the sandbox keeps over a restart: a JSON line a generation, on disk before the answer."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from batchsora.sandbox.made import Made
from jobs.files import refuse_foreign_link


class Journal:
    """A file of generations.

    Args:
        path: made if need be, as is its folder.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        refuse_foreign_link(path)
        self._path = path

    def read(self) -> Iterator[Made]:
        """Give the generations back; a last line that was cut off is left out and cut away."""
        if not self._path.exists():
            return
        content = self._path.read_bytes()
        whole, newline, torn = content.rpartition(b"\n")
        if torn:
            os.truncate(self._path, len(whole) + len(newline))
        for line in whole.splitlines():
            entry = json.loads(line)
            entry["created_at"] = datetime.fromisoformat(entry["created_at"])
            yield Made(**entry)

    def append(self, item: Made) -> None:
        """Write a generation down, durably."""
        entry = asdict(item) | {"created_at": item.created_at.isoformat()}
        with self._path.open("ab") as file:
            file.write(json.dumps(entry).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
