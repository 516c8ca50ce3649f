"""The separate process: it takes one order, limits itself, and answers in lines of JSON.

A task is a function of its argument that imports the libraries it needs, and returns a function
that yields the answer; the limits are set between the two, so memory is counted from there on.
"""

import importlib
import json
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any, Final

from jobs import system

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

NO_MEMORY: Final = 3
BUG: Final = 4
"""Exit codes, for the process that asked (:mod:`batchsora.apart.asking`)."""


def main() -> None:
    """Carry out the order in the first line of the input."""
    order = json.loads(sys.stdin.buffer.readline())
    system.end_with_input()
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
    system.bound_process(order["seconds"], order["memory"])
    encode = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode
    with open(1, "wb", closefd=False) as out:
        out.writelines(encode(line).encode("utf-8", "surrogatepass") + b"\n" for line in work())
