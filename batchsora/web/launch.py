"""Starting commands as processes of their own: they outlive the page, and keep every rule.

What such a process says goes to a file, from which the page shows how it ended.
"""

import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from batchsora import children
from batchsora.settings import Settings
from jobs.model.clock import Clock
from jobs.model.files import made_folder

LONGEST_TAIL: Final = 8 * 1024
"""Bytes of what a process said that are read back."""

REMEMBERED: Final = 100
"""Processes whose ends are remembered."""


@dataclass(slots=True)
class Started:
    """A process that was started here.

    Attributes:
        id: names it in addresses.
        purpose: in a few words.
        about: which batch or manifest it is for.
        log: what it says, on both streams.
    """

    id: str
    purpose: str
    about: str
    log: Path
    at: datetime
    process: children.Process

    @property
    def code(self) -> int | None:
        """Return its exit code; None while it goes on."""
        return self.process.poll()

    def said(self) -> str:
        """Return the end of what it said."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - LONGEST_TAIL))
                text = file.read(LONGEST_TAIL).decode("utf-8", "replace")
        except OSError:
            return ""
        # a line that was written over again is shown as it was last
        return "\n".join(line.rpartition("\r")[2] for line in text.split("\n"))


class Launcher:
    """Starts ``batchsora`` commands.

    Args:
        settings: the same database, API and token file are used.
        folder: for what they say.
        clock: time.
    """

    def __init__(self, settings: Settings, folder: Path, clock: Clock) -> None:
        self._settings = settings
        self._folder = folder
        self._clock = clock
        self._started: dict[str, Started] = {}

    def start(self, words: Sequence[str], purpose: str, about: str = "") -> Started:
        """Start a command.

        Args:
            words: the command and its arguments, such as ``["run", "--batch", "summer", "--yes"]``.
            purpose: in a few words.
            about: which batch or manifest it is for.

        Raises:
            OSError: no process, or no file for what it says, can be made.
        """
        made_folder(self._folder.parent, self._folder.name)
        name = uuid.uuid4().hex
        now = self._clock.now()
        log = self._folder / f"{now:%Y%m%d-%H%M%S}-{name[:8]}.log"
        with os.fdopen(os.open(log, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "wb") as file:
            process = children.start([*self._globals(), *words], words[0], file)
        while len(self._started) >= REMEMBERED:
            del self._started[next(iter(self._started))]
        started = Started(name, purpose, about, log, now, process)
        self._started[name] = started
        return started

    def find(self, name: str) -> Started | None:
        """Find a process by its id."""
        return self._started.get(name)

    def all(self) -> list[Started]:
        """List them in their order."""
        return list(self._started.values())

    def about(self, about: str) -> list[Started]:
        """List the processes for a batch or manifest, the latest first."""
        return [one for one in reversed(self._started.values()) if one.about == about]

    def _globals(self) -> list[str]:
        settings = self._settings
        words = ["--db", str(settings.database.absolute())]
        if not settings.found_address:
            words += ["--base-url", settings.base_url]
        words += children.named(settings.configuration, "--config")
        return words + children.named(settings.token_file, "--token-file")
