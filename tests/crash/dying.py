"""The real command line in a real process that kills itself at a named checkpoint.

Usage: ``python dying.py POINT COUNT -- ARGUMENTS…``: SIGKILL at the COUNT-th time POINT is passed.
"""

import os
import signal
import sys

from batchsora.app.session import Hooks
from batchsora.cli import main
from batchsora.cli.common import Cli


class Dying:
    """Counts a checkpoint down."""

    def __init__(self, point: str, count: int) -> None:
        self._point = point
        self._left = count

    def __call__(self, name: str) -> None:
        if name == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    separator = sys.argv.index("--")
    point, count = sys.argv[1:separator]
    main(sys.argv[separator + 1 :], obj=Cli(Hooks(checkpoint=Dying(point, int(count)))))
