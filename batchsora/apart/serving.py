"""The separate process: it takes one order, limits itself, and answers in lines of JSON.

A task is a function of its argument that imports the libraries it needs, and returns a function
that yields the answer; the limits are set between the two, so memory is counted from there on.
"""

import contextlib
import importlib
import json
import os
import select
import sys
import traceback
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

NO_MEMORY: Final = 3
BUG: Final = 4
"""Exit codes, for the process that asked (:mod:`batchsora.apart.asking`)."""


def main() -> None:
    """Carry out the order in the first line of the input."""
    order = json.loads(sys.stdin.buffer.readline())
    _end_with_parent()
    try:
        _serve(order)
        os._exit(0)  # without taking apart what it holds
    except MemoryError:
        os._exit(NO_MEMORY)  # at once: there may be no memory for anything else
    except BrokenPipeError:
        os._exit(1)  # the parent has gone
    except Exception:  # noqa: BLE001 - sent to the process that asked
        told = json.dumps({"bug": traceback.format_exc()[-8000:]})
        os.write(1, f"\n{told}\n".encode())
        os._exit(BUG)


def _serve(order: Any) -> None:
    module, _, name = order["task"].partition(":")
    prepare: Callable[[Any], Callable[[], Iterable[Any]]]
    prepare = getattr(importlib.import_module(module), name)
    work = prepare(order["given"])
    _bound(order["seconds"], order["memory"])
    encode = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode
    with open(1, "wb", closefd=False) as out:
        out.writelines(encode(line).encode("utf-8", "surrogatepass") + b"\n" for line in work())


def _end_with_parent() -> None:
    """Let the system end us when the input is closed, even inside a library that never returns.

    The parent writes nothing more, so a signal of the input means that the parent is gone.
    """
    import fcntl  # noqa: PLC0415 - not on every platform

    with contextlib.suppress(AttributeError, OSError):
        fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([0], [], [], 0)[0]:  # it went before
        os._exit(1)


def _bound(seconds: int, memory: int) -> None:
    """Set the limits that the system can enforce; the parent watches the clock and counts bytes."""
    try:
        import resource  # noqa: PLC0415 - not on every platform
    except ImportError:
        return

    def limit(kind: int, wanted: int, room: int = 0) -> None:
        hard = resource.getrlimit(kind)[1]
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        above = most + room if hard == resource.RLIM_INFINITY else min(most + room, hard)
        with contextlib.suppress(OSError, ValueError):  # some systems have a limit in name only
            resource.setrlimit(kind, (most, above))

    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_FSIZE, 0)  # it has nothing to write
    limit(resource.RLIMIT_CPU, seconds, 2)  # by SIGXCPU, which says why; SIGKILL comes later
    with contextlib.suppress(OSError), open("/proc/self/statm", "rb") as file:  # noqa: PTH123
        taken = int(file.read().split()[0]) * resource.getpagesize()
        limit(resource.RLIMIT_AS, taken + memory)
