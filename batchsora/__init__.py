"""batchsora: a spreadsheet of prompts becomes finished videos, within a budget, exactly once.

Importing this package costs next to nothing; its public names are loaded at first use. It refuses
to be imported if the name ``jobs`` leads anywhere but to the engine beside it: a ``jobs.py`` in the
working folder would be picked up under ``python -m batchsora``.
"""

import importlib
import importlib.util
import os
from typing import TYPE_CHECKING

from batchsora._version import __version__

if TYPE_CHECKING:
    from batchsora.batch import Batch, JobResult, RunReport
    from batchsora.providers.runblob.blocking import SoraAPI, SoraClient, SyncRunBlobClient
    from batchsora.providers.runblob.client import RunBlobClient
    from batchsora.providers.runblob.errors import (
        BadTokenError,
        DownloadError,
        GenerationFailedError,
        ImageError,
        InDoubtError,
        InsufficientCreditsError,
        NotFoundError,
        RateLimitedError,
        RunBlobError,
        ServerError,
        StillRunningError,
        UnreachableError,
        ValidationError,
        WrongAddressError,
    )
    from batchsora.providers.runblob.models import GenerationCreated, GenerationInfo

__all__ = [
    "BadTokenError",
    "Batch",
    "DownloadError",
    "GenerationCreated",
    "GenerationFailedError",
    "GenerationInfo",
    "ImageError",
    "InDoubtError",
    "InsufficientCreditsError",
    "JobResult",
    "NotFoundError",
    "RateLimitedError",
    "RunBlobClient",
    "RunBlobError",
    "RunReport",
    "ServerError",
    "SoraAPI",
    "SoraClient",
    "StillRunningError",
    "SyncRunBlobClient",
    "UnreachableError",
    "ValidationError",
    "WrongAddressError",
    "__version__",
]

_HOMES = {
    "Batch": "batchsora.batch",
    "JobResult": "batchsora.batch",
    "RunReport": "batchsora.batch",
    "RunBlobClient": "batchsora.providers.runblob.client",
    "SoraAPI": "batchsora.providers.runblob.blocking",
    "SoraClient": "batchsora.providers.runblob.blocking",
    "SyncRunBlobClient": "batchsora.providers.runblob.blocking",
    "GenerationCreated": "batchsora.providers.runblob.models",
    "GenerationInfo": "batchsora.providers.runblob.models",
} | {name: "batchsora.providers.runblob.errors" for name in __all__ if name.endswith("Error")}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _refuse_another_engine() -> None:
    """Raise an ImportError unless ``jobs`` is the engine installed with this package."""
    sibling = os.path.join(os.path.dirname(os.path.dirname(__file__)), "jobs")  # noqa: PTH118, PTH120 - pathlib is slower to import than all the rest here
    try:
        spec = importlib.util.find_spec("jobs")
    except ValueError:  # something put a module of that name into sys.modules by hand
        spec = None
    folders = list((spec and spec.submodule_search_locations) or ())
    if folders and os.path.realpath(folders[0]) == os.path.realpath(sibling):
        return
    found = (spec and spec.origin) or ", ".join(folders) or "nothing"
    raise ImportError(
        f"batchsora needs its own engine, the package 'jobs' at {sibling}, but 'jobs' leads to "
        f"{found}. Start it with the command 'batchsora', or from another folder, or rename what "
        "stands in the way; if nothing does, install batchsora again.",
        name="jobs",
        path=found,
    )


_refuse_another_engine()
