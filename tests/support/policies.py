"""The engine's policy as a run without options has it."""

from dataclasses import replace
from typing import Any

from batchsora.options import RunOptions
from batchsora.usecases.from_options import run_policy
from jobs.runtime.run_context import RunPolicy


def policy(**changes: Any) -> RunPolicy:
    """Return it with some changes."""
    return replace(run_policy(RunOptions()), **changes)
