"""Six bugs to plant: each breaks a promise, so the nights must find each of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection, delete, update

from jobs import reconcile
from jobs.provider import GenerationRequest, InDoubt, SubmitOutcome, Throttled
from jobs.settling import Settlement, Suspect
from jobs.states import JobState
from jobs.store import claims, rows, steering
from jobs.tables import ATTEMPT, JOB
from simulation.world import Client

Mutant = Callable[[], Any]


@contextmanager
def intent_after_post() -> Iterator[None]:
    """The request leaves before its intent is durable."""
    submit = Client.submit

    async def send_first(self: Client, request: GenerationRequest, key: str, may: Any) -> Any:
        store = STORES[-1]
        kept: list[Any] = []

        def take_back(connection: Connection) -> None:
            row = connection.execute(
                ATTEMPT.select().where(ATTEMPT.c.idempotency_key == key, ATTEMPT.c.state == "open")
            ).one()
            kept.append(row._asdict())
            connection.execute(delete(ATTEMPT).where(ATTEMPT.c.id == row.id))
            connection.execute(
                update(JOB)
                .where(JOB.c.id == row.job_id)
                .values(state=JobState.CANCELLED, attempt_id=None)
            )
            rows.move_money(connection, row, held=-row.hold_micros)

        def write(connection: Connection) -> None:
            values = kept[0]
            connection.execute(ATTEMPT.insert().values(values))
            connection.execute(
                update(JOB)
                .where(JOB.c.id == values["job_id"])
                .values(state=JobState.SUBMITTING, attempt_id=values["id"])
            )
            row = connection.execute(ATTEMPT.select().where(ATTEMPT.c.id == values["id"])).one()
            rows.move_money(connection, row, held=row.hold_micros)

        store.write(take_back)
        outcome = await submit(self, request, key, may)
        store.write(write)
        return outcome

    with patch.object(Client, "submit", send_first):
        yield


STORES: list[Any] = []
"""The store of the process that lives: planted bugs that need one find it here."""


@contextmanager
def blind_retry_on_502() -> Iterator[None]:
    """A 502 is taken for "not created", as so many clients do."""
    submit = Client.submit

    async def hasty(self: Client, request: GenerationRequest, key: str, may: Any) -> SubmitOutcome:
        outcome = await submit(self, request, key, may)
        return Throttled(None) if outcome == InDoubt("502") else outcome

    with patch.object(Client, "submit", hasty):
        yield


@contextmanager
def hold_after_post() -> Iterator[None]:
    """The money is not held while the request is under way."""
    hold = claims._Picker._hold

    def nothing(self: Any, kind: str) -> tuple[int | None, bool]:
        amount, alone = hold(self, kind)
        return (None if amount is None else 0), alone

    with patch.object(claims._Picker, "_hold", nothing):
        yield


@contextmanager
def adopting_foreign_ids() -> Iterator[None]:
    """The first candidate is taken, however many there are."""
    settle = reconcile.settle

    def greedy(*arguments: Any) -> Settlement:
        found = settle(*arguments)
        for number, candidates in found.contested.items():
            found.adopt.append((number, candidates[0]))
        found.contested = {}
        return found

    with patch.object(reconcile, "settle", greedy):
        yield


@contextmanager
def void_before_the_grace() -> Iterator[None]:
    """What one look does not show counts as never made."""
    settle = reconcile.settle

    def impatient(suspects: list[Suspect], *arguments: Any) -> Settlement:
        ripe = [replace(suspect, ripe=True, clean_before=True) for suspect in suspects]
        return settle(ripe, *arguments)

    with patch.object(reconcile, "settle", impatient):
        yield


@contextmanager
def missing_state_guard() -> Iterator[None]:
    """A transition is made from whatever state there is."""

    def anywhere(transition: str) -> tuple[JobState, ...]:
        del transition
        return tuple(JobState)

    with patch.object(rows, "sources", anywhere), patch.object(steering, "sources", anywhere):
        yield


MUTANTS = (
    intent_after_post,
    blind_retry_on_502,
    hold_after_post,
    adopting_foreign_ids,
    void_before_the_grace,
    missing_state_guard,
)
