"""Bugs to plant: each breaks a promise, so the nights must find each of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection, delete, select, update

from jobs.database.tables import ATTEMPT, BATCH, JOB
from jobs.evidence import account_list
from jobs.evidence.books import Agreement, Books
from jobs.evidence.sight import Sight
from jobs.evidence.suspects import Settlement, Suspect
from jobs.evidence.witness import Witness
from jobs.model.provider import (
    GenerationRequest,
    InDoubt,
    SubmitOutcome,
    Throttled,
    TokenRefusedError,
)
from jobs.model.retry import RetryPolicy
from jobs.model.states import FailureKind, JobState
from jobs.reconciliation import adoption, reconciler
from jobs.runtime.troubles import TokenCheck
from jobs.store import claims, handing, outcomes, past, rows
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
    settle = reconciler.settle

    def greedy(*arguments: Any) -> Settlement:
        found = settle(*arguments)
        for number, candidates in found.contested.items():
            found.adopt.append((number, candidates[0]))
        found.contested = {}
        return found

    with patch.object(reconciler, "settle", greedy):
        yield


@contextmanager
def void_before_the_grace() -> Iterator[None]:
    """What one look does not show counts as never made, however soon."""
    settle = reconciler.settle

    def impatient(suspects: Any, reading: Any, known: Any, witness: Witness, *more: Any) -> Any:
        past_grace = [
            replace(suspect, past_grace=True, shown=True, clean_before=True) for suspect in suspects
        ]
        agrees = Books(10**9, 10**9, agreed=Agreement(10**12))
        return settle(past_grace, reading, known, replace(witness, lag=0.0, books=agrees), *more)

    with patch.object(reconciler, "settle", impatient):
        yield


@contextmanager
def missing_state_guard() -> Iterator[None]:
    """A transition is made from whatever state there is."""

    def anywhere(transition: str) -> tuple[JobState, ...]:
        del transition
        return tuple(JobState)

    with patch.object(rows, "sources", anywhere):
        yield


@contextmanager
def unknown_failure_retried() -> Iterator[None]:
    """What is not understood is bought again, as the provider's own failures are."""
    decide = RetryPolicy.decide

    def hasty(self: RetryPolicy, kind: FailureKind, *more: Any) -> Any:
        known = FailureKind.SYSTEM if kind == FailureKind.UNKNOWN else kind
        return decide(self, known, *more)

    with patch.object(RetryPolicy, "decide", hasty):
        yield


@contextmanager
def absence_from_an_unfaithful_list() -> Iterator[None]:
    """What the list does not show was never made, whatever else it does not show."""
    settle = reconciler.settle

    def trusting(suspects: Any, reading: Any, known: Any, witness: Witness, *more: Any) -> Any:
        agrees = Books(10**9, 10**9, agreed=Agreement(10**12))
        sure = replace(witness, trouble="", lag=0.0, newest_attempt=10**9, books=agrees)
        return settle(suspects, reading, known, sure, *more)

    with patch.object(reconciler, "settle", trusting):
        yield


@contextmanager
def short_page_as_the_end() -> Iterator[None]:
    """A page that is not full is taken for the list's last."""

    def short(page: Sequence[Any], fresh: Sequence[Any], *, sure: bool) -> bool:
        del sure
        return len(page) < Client.list_limit or not fresh

    with patch.object(account_list, "is_the_end", short):
        yield


@contextmanager
def a_list_believed_unseen() -> Iterator[None]:
    """The look before buying takes prompts as they are shown, and each list for the whole truth."""
    with patch.object(adoption, "see", lambda *_: Sight()):
        yield


@contextmanager
def own_past_not_looked_at() -> Iterator[None]:
    """What other batches of the database paid for is bought again."""
    with patch.object(past, "_paid_elsewhere", lambda *_, **__: {}):
        yield


@contextmanager
def own_past_by_exact_words() -> Iterator[None]:
    """What was paid for is known again only in the very words in which it was bought."""
    with patch.object(past, "asked_key", lambda row: row.fingerprint):
        yield


@contextmanager
def one_403_as_the_tokens() -> Iterator[None]:
    """One generation's 403 counts as a refused token."""

    async def refused(self: TokenCheck, *_: Any) -> TokenRefusedError:
        del self
        return TokenRefusedError("403")

    with patch.object(TokenCheck, "refused", refused):
        yield


@contextmanager
def a_batch_handed_over() -> Iterator[None]:
    """A job that is handed to a run takes its whole batch along."""
    hand_over = handing.hand_over

    def generous(connection: Connection, job_ids: Any) -> Any:
        found = hand_over(connection, job_ids)
        batch_of = select(JOB.c.batch_id).where(JOB.c.id.in_(list(job_ids)))
        connection.execute(update(BATCH).where(BATCH.c.id.in_(batch_of)).values(active=True))
        return found

    with patch.object(handing, "hand_over", generous):
        yield


@contextmanager
def money_moved_by_the_rows_campaign() -> Iterator[None]:
    """An attempt's money moves in the campaign that its row has by then."""
    kept = rows._ATTEMPT

    class ByTheRow:
        @staticmethod
        def first(connection: Connection, attempt: int) -> Any:
            row = kept.first(connection, attempt=attempt)
            if row is None:
                return None
            now = select(JOB.c.campaign).where(JOB.c.id == row.job_id)
            return row._replace(campaign=connection.execute(now).scalar_one())

    with patch.object(rows, "_ATTEMPT", ByTheRow):
        yield


@contextmanager
def rows_pay_for_the_account() -> Iterator[None]:
    """Rows that were refused before it came out that the account is refused stay failed."""
    with patch.object(outcomes, "put_back", lambda *_: False):
        yield


@contextmanager
def order_is_a_time() -> Iterator[None]:
    """Whatever lies in the right place of a list without times is taken for what was lost there."""
    with patch.object(Suspect, "surely_fits", lambda *_: True):
        yield


MUTANTS: Mapping[Mutant, int] = {
    intent_after_post: 13,
    blind_retry_on_502: 19,
    hold_after_post: 12,
    adopting_foreign_ids: 43,
    void_before_the_grace: 15,
    missing_state_guard: 50,
    unknown_failure_retried: 87,
    absence_from_an_unfaithful_list: 33,
    short_page_as_the_end: 22,
    own_past_not_looked_at: 15,
    own_past_by_exact_words: 15,
    a_list_believed_unseen: 34,
    one_403_as_the_tokens: 26,
    a_batch_handed_over: 22,
    money_moved_by_the_rows_campaign: 20,
    rows_pay_for_the_account: 249,
}
"""Each bug with a night that found it: played first, and the others where it finds it no more."""
