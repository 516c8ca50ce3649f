"""What counts as never made: on the engine, and over HTTP by a person's word."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from batchsora.sandbox.faults import Fault, Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import Reply
from jobs.store import outcomes

from .engine import Engine
from .listed import Account
from .shell import Shell

LOST = "a heron, number 1"


@dataclass(frozen=True, slots=True)
class OneIsLost(Faults):
    """The answer to one row is lost; its generation was made and charged."""

    def of_submission(self, seed: int, prompt: str, turn: int) -> Fault:
        del seed
        return Fault.DROP if prompt == LOST and turn == 1 else Fault.NONE


def hidden(_: int, plain: Reply) -> Reply:
    """Show all of a page but the lost one."""
    return Reply(plain.status, [one for one in plain.body if one["prompt"] != LOST])


@contextmanager
def called_never_made(call: Shell, monkeypatch: pytest.MonkeyPatch, *run: str) -> Iterator[Account]:
    """Serve a list that hides the lost one, which a person calls never made."""
    made = Account(time_scale=2000.0)
    made.listing = hidden
    with SandboxServer(made, faults=OneIsLost()) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        assert call(*run, "night.csv").code == 7
        said = call("resolve", "r1", "--never-made", "--grace", "0.2")
        assert said.code == 0, said.err
        yield made


def stop_after(seconds: float) -> Callable[[Any], object]:
    """Stop a run so many seconds after it began."""
    return lambda runner: asyncio.get_running_loop().call_later(seconds, runner.stop)


def lose(engine: Engine, batch_id: int = 1, seconds: float = 0.5) -> int:
    """Send what is queued, of which one gets no answer, and call that never made."""
    engine.run((batch_id,), during=stop_after(seconds))
    (number,) = [one.id for one in engine.attempts() if one.state == "in_doubt"]
    now = engine.clock.now()
    assert engine.store.write(lambda c: outcomes.void(c, number, "said so", now))
    return int(number)


def hide(engine: Engine) -> None:
    """Let the list never show what was made so far."""
    engine.provider.hides |= {one.id: 10**9 for one in engine.provider.made}
