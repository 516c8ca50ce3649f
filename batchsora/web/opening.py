"""Showing the owner, and nobody else, the address that opens the page.

A browser is started with what it shall open as an argument, and ``ps`` shows arguments to every
account. So it is given the path of a file that leads on to the address, which only we can read.
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

PREFIX: Final = "batchsora-open-"
"""What the name of the file's folder begins with."""

_LEADS_ON: Final = """<!doctype html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0;url={address}">
<title>batchsora</title>
<p><a href="{address}">Open the page</a></p>
"""


class Opening:
    """Shows each new address in the terminal, and the first one in a browser too.

    Args:
        address: where the page is, with a slash at its end.
        show: writes a line to the terminal, and to no log.
        browser: open one.
        above: where the folder of the file comes to be; None for the system's own place.
    """

    def __init__(
        self, address: str, show: Callable[[str], None], above: Path | None, *, browser: bool
    ) -> None:
        self._address = address
        self._show = show
        self._above = above
        self._browser = browser
        self._folder: Path | None = None

    def __call__(self, ticket: str) -> None:
        """Show the address with a new ticket: the one before is void."""
        self.close()
        address = f"{self._address}{ENTER[1:]}{ticket}"
        with suppress(OSError):  # the terminal is gone, and whoever is inside stays there
            self._show(address)
        if self._browser:
            self._browser = False
            page = self._page(address)
            if page is not None:
                open_browser(page.as_uri())

    def close(self) -> None:
        """Remove the file."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _page(self, address: str) -> Path | None:
        """Write the file, in a folder that is ours alone; None where that can't be."""
        for above in dict.fromkeys((self._above, None)):
            try:
                self._folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=above))
                page = self._folder / "open.html"
                page.touch(0o600)
                page.write_text(_LEADS_ON.format(address=html.escape(address)), encoding="utf-8")
            except OSError:
                self.close()
            else:
                return page
        return None


def readable_folder() -> Path | None:
    """Return where browsers can read a file of ours; None for the system's place of temporary ones.

    On Linux browsers are often packaged as snaps, which see neither ``/tmp`` nor anything in a
    hidden folder: what they can read is the home folder itself.
    """
    try:
        return Path.home() if sys.platform == "linux" else None
    except RuntimeError:  # nobody knows where it is
        return None
