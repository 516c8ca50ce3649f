"""Where the log goes: warnings to stderr, all of our own to ``--log-file`` as JSON lines."""

import json
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO

from batchsora.presentation.terminal_text import clean
from batchsora.settings import SettingsError
from jobs import system
from jobs.model.files import refuse_planted_link

OURS: Final = ("batchsora", "jobs")
MOST_FOREIGN: Final = 60  # records of the libraries' loggers that are written in a minute
MINUTE: Final = 60.0
SAID: Final = "said"  # marks a message that stderr has already: only the file gets it


class _Clean(logging.Formatter):
    """Cleans log lines: foreign text must not control the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return clean(super().format(record))


class _JsonLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": clean(record.getMessage()),
        }
        if record.exc_info:
            line["exception"] = clean(self.formatException(record.exc_info))
        return json.dumps(line)


class Scarce(logging.Filter):
    """Limits the records of libraries, such as the web server's, which strangers can cause."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._began = float("-inf")
        self._said = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Pass our own records, and :data:`MOST_FOREIGN` others a minute."""
        if record.name.split(".")[0] in OURS:
            return True
        now = self._monotonic()
        if now - self._began > MINUTE:
            self._began, self._said = now, 0
        self._said += 1
        return self._said <= MOST_FOREIGN


class _FileHandler(logging.StreamHandler[TextIO]):
    """Appends to a file; after its first failure the run continues without it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        refuse_planted_link(path)
        # prompts and addresses are private
        number = system.open_to_append(path, 0o600, follow=True)
        super().__init__(open(number, "a", encoding="utf-8"))  # noqa: PTH123, SIM115 - a descriptor, closed by close()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - its name in the library
        """Report once that the file can't be written; a log must not stop paid work."""
        del record
        logging.getLogger().removeHandler(self)
        self.close()
        logging.getLogger(__name__).warning(
            "the log file %s can't be written any more; the run continues without it", self._path
        )

    def close(self) -> None:
        """Close the file."""
        with suppress(OSError):  # the disk is full, which was reported already
            self.stream.close()
        super().close()


def configure_logging(*, verbose: bool, file: str | None) -> None:
    """Send the log to stderr (warnings; with ``-v`` everything of ours) and to a file.

    Raises:
        SettingsError: the file can't be written.
    """
    screen = logging.StreamHandler()
    screen.setFormatter(_Clean("%(levelname)s %(name)s: %(message)s"))
    screen.setLevel(logging.INFO if verbose else logging.WARNING)
    screen.addFilter(lambda record: not hasattr(record, SAID))
    handlers: list[logging.Handler] = [screen]
    if file is not None:
        handlers.append(_open(Path(file)))
    for handler in handlers:
        handler.addFilter(Scarce(time.monotonic))
    logging.basicConfig(handlers=handlers, level=logging.WARNING, force=True)
    for name in OURS:
        ours = logging.INFO if verbose or file is not None else logging.NOTSET
        logging.getLogger(name).setLevel(ours)


def close_logging() -> None:
    """Flush and close the log file, if there is one."""
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, _FileHandler):
            root.removeHandler(handler)
            handler.close()


def _open(path: Path) -> _FileHandler:
    try:
        handler = _FileHandler(path)
    except OSError as error:
        raise SettingsError(
            f"the log file {path} can't be written ({error.strerror}); name another one with "
            "--log-file. Nothing was started"
        ) from error
    handler.setFormatter(_JsonLine())
    return handler
