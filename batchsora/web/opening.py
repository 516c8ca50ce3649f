"""Showing the owner, and nobody else, the address that opens the page.

A browser is started with what it shall open as an argument, and ``ps`` shows arguments to every
account. So it is given the path of a file that leads on to the address, which only we can read.

Output that goes to no terminal ends in a file, a journal or another program: who knows who reads
it. So the address is written into a file that only we can read, and the path of that is shown.
"""

import html
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from batchsora.children import open_browser
from batchsora.web.entering import ENTER
from jobs.model.files import replaced

ADDRESS: Final = "open-{port}.txt"
"""The file with the newest address, where there is no terminal. Each page that is served over one
database has a port of its own."""

PREFIX: Final = "batchsora-open-"
"""What the name of the file's folder begins with."""

LEFT_AFTER: Final = 3600.0
"""Seconds after which such a folder was left by a page that was killed: nobody opens it now."""

PAGE: Final = "open.html"

_LEADS_ON: Final = """<!doctype html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0;url={address}">
<title>batchsora</title>
<p><a href="{address}">Open the page</a></p>
"""


class Opening:
    """Shows each new address in the terminal, and opens the first one in a browser too.

    Args:
        address: where the page is, with a slash at its end.
        show: writes a line to stderr, and to no log.
        above: where the folder of the browser's file comes to be; None for the system's own place.
        browser: open one.
        file: is given the newest address, and its path is shown instead; None if stderr is a
            terminal, which nobody else reads.
    """

    def __init__(
        self,
        address: str,
        show: Callable[[str], None],
        above: Path | None,
        *,
        browser: bool,
        file: Path | None = None,
    ) -> None:
        self._address = address
        self._show = show
        self._above = above
        self._browser = browser
        self._file = file
        self._folder: Path | None = None

    def __call__(self, ticket: str) -> None:
        """Show the address with a new ticket: the one before is void."""
        self.close()
        address = f"{self._address}{ENTER[1:]}{ticket}"
        with suppress(OSError):  # the terminal is gone, and whoever is inside stays there
            self._show(address if self._file is None else self._kept(self._file, address))
        if self._browser:
            self._browser = False
            page = self._page(address)
            if page is not None:
                open_browser(page.as_uri())

    def close(self) -> None:
        """Remove the files."""
        if self._file is not None:
            with suppress(OSError):
                self._file.unlink()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    @staticmethod
    def _kept(file: Path, address: str) -> str:
        """Write the address into the file; return what is shown of that."""
        try:
            with replaced(file) as draft:
                draft.write_text(f"{address}\n", encoding="ascii")
        except OSError as error:
            return (
                f"the address that opens the page can't be written to {file} ({error.strerror}): "
                "start the page in a terminal"
            )
        return f"the newest address that opens the page is in {file}"

    def _page(self, address: str) -> Path | None:
        """Write the file, in a folder that is ours alone; None where that can't be."""
        for above in dict.fromkeys((self._above, None)):
            try:
                self._folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=above))
                page = self._folder / PAGE
                page.touch(0o600)
                page.write_text(_LEADS_ON.format(address=html.escape(address)), encoding="utf-8")
            except OSError:
                self.close()
            else:
                _remove_left(self._folder)
                return page
        return None


def _remove_left(ours: Path) -> None:
    """Remove what killed pages left beside our own folder, and nothing that others put there."""
    for folder in ours.parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if ours.stat().st_mtime - folder.lstat().st_mtime > LEFT_AFTER:
                if list(folder.iterdir()) == [folder / PAGE]:
                    (folder / PAGE).unlink()
                folder.rmdir()


def readable_folder() -> Path | None:
    """Return where browsers can read a file of ours; None for the system's place of temporary ones.

    On Linux browsers are often packaged as snaps, which see neither ``/tmp`` nor anything in a
    hidden folder: what they can read is the home folder itself.
    """
    try:
        return Path.home() if sys.platform == "linux" else None
    except RuntimeError:  # nobody knows where it is
        return None
