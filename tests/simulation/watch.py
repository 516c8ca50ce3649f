"""What must hold after every event of a simulated night, compared with what really happened."""

from collections import Counter, namedtuple
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, select
from support.invariants import Invariants

from batchsora.providers.registry import MODELS
from batchsora.sandbox.world import Made
from jobs.database.tables import ATTEMPT, BUDGET, JOB
from jobs.model.families import family_of, provider_id
from jobs.model.ledger import ACCOUNT_KEY
from jobs.model.retry import RETRIED
from jobs.model.spec import asked_key
from jobs.model.states import UNENDED, FailureKind, JobState
from jobs.model.text import same_text
from jobs.store import Store
from jobs.store.prepared import Prepared
from simulation.world import Account

Spent = namedtuple("Spent", ["charged_micros", "held_micros"])  # noqa: PYI024
AttemptView = namedtuple("AttemptView", list(ATTEMPT.c.keys()))  # type: ignore[misc] # noqa: PYI024
Ended = namedtuple("Ended", ["id", "state", "error_kind"])  # noqa: PYI024
ACCOUNT_BUDGET = Prepared(
    select(BUDGET.c.charged_micros, BUDGET.c.held_micros).where(BUDGET.c.key == ACCOUNT_KEY),
    Spent,
)
ATTEMPTS = Prepared(select(ATTEMPT), AttemptView)
ONE_ATTEMPT = Prepared(select(ATTEMPT).where(ATTEMPT.c.id == bindparam("id")), AttemptView)
JOBS = Prepared(
    select(JOB.c.id, JOB.c.state, JOB.c.error_kind),
    Ended,
)
BY_ITSELF = (JobState.PENDING, JobState.PROCESSING, JobState.COMPLETED)
"""Where a job goes whose video turns up after all."""

PUT_BACK = (JobState.FAILED, FailureKind.VALIDATION, JobState.QUEUED)
"""Where a row goes of which it came out that the account was refused; nothing had been made."""

ENDS = (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)


class Watcher:
    """A store's observer that knows the truth.

    Args:
        account: at the provider.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self.invariants = Invariants()
        self.touched: set[int] = set()
        self.handed: set[str] = set()
        self.copies: set[int] = set()
        self.asked_for: Mapping[str, int] = {}
        self._forgotten: set[str] = set()
        self._rows: Counter[str] = Counter()
        self._ours: dict[str, list[Made]] = {}
        self._jobs_of_keys: dict[str, int] = {}
        self._wanted_by_keys: dict[str, str] = {}
        self._ends: dict[int, tuple[str, str | None]] = {}
        self._next: tuple[Any, dict[int, tuple[str, str | None]]] = ((), {})

    def made(self, made: Made) -> None:
        """Hold promise 1 at the moment at which the provider creates something of ours."""
        assert made.key is not None
        assert made.key in self._jobs_of_keys, "a POST left before its intent was on disk"
        if made.prompt.startswith("a second batch"):
            assert made.prompt in self.handed, "nobody handed it over"
        kind = self._wanted_by_keys[made.key]
        now = self._account.now()
        job = self._jobs_of_keys[made.key]
        for key, others in self._ours.items():
            for other in others if self._jobs_of_keys[key] == job else ():
                asked = job in self.touched or other.id in self._forgotten
                again = asked or other.phase(now) != "failed"
                kind_of_failure = self._account.view(other).failure
                assert again or kind_of_failure in RETRIED, f"bought again after {other.failure!r}"
        # equal jobs can't be told apart, and need not be: together they may have one each
        unfailed = [
            other
            for key, others in self._ours.items()
            if self._wanted_by_keys[key] == kind
            for other in others
            if other.phase(now) != "failed"
        ]
        wanted = len({job for key, job in self._jobs_of_keys.items() if self._is(key, kind)})
        wanted = max(wanted, self._rows[kind])
        if job in self.copies:  # the same rows in another file: what one manifest asks for
            wanted = self.asked_for[kind]
        assert len(unfailed) < wanted, f"{made.prompt!r} is paid twice: {made.id}"
        self._ours.setdefault(made.key, []).append(made)

    def _is(self, key: str, kind: str) -> bool:
        return self._wanted_by_keys[key] == kind

    def __call__(self, connection: Connection) -> None:
        """Check a commit, before it is one."""
        self.invariants(connection)
        attempts = self.invariants.attempts
        self._adopted_is_ours(attempts)
        self._charges_are_covered(connection)
        self._next = attempts, self._ends_after(connection)

    def _adopted_is_ours(self, attempts: Sequence[Any]) -> None:
        for attempt in attempts:
            if attempt.generation_id is None or not attempt.idempotency_key:
                continue  # what was taken over may be anybody's
            made = self._account.world.find(provider_id(attempt.generation_id))
            assert made is not None, "a generation that does not exist"
            assert MODELS[made.model].family == family_of(attempt.generation_id)
            assert not made.foreign, f"attempt {attempt.id} has somebody else's {made.id}"
            assert same_text(made.prompt, attempt.prompt)
            assert (made.duration, made.orientation) == (attempt.duration, attempt.orientation)

    def _charges_are_covered(self, connection: Connection) -> None:
        real = sum(
            made.price
            for others in self._ours.values()
            for made in others
            if made.id not in self._forgotten
        )
        budget = ACCOUNT_BUDGET.first(connection)
        booked = budget.charged_micros + budget.held_micros
        assert real <= booked, f"the provider charged {real}, we know of {booked}"

    def _ends_after(self, connection: Connection) -> dict[int, tuple[str, str | None]]:
        """Hold that no end is left without a command; gives the ends as this commit leaves them."""
        ends: dict[int, tuple[str, str | None]] = {}
        for job in JOBS.all(connection):
            before = self._ends.get(job.id)
            if before is not None and before[0] != job.state and job.id not in self.touched:
                late = before[0] == JobState.FAILED and before[1] in UNENDED
                assert late or (*before, job.state) == PUT_BACK, (
                    f"job {job.id} left {before} for {job.state} by itself"
                )
            if job.state in ENDS:
                ends[job.id] = (job.state, job.error_kind)
        return ends

    def restored(self, store: Store) -> None:
        """Take in that an older copy goes on: what was bought since is not in its books."""
        attempts = store.read(ATTEMPTS.all)
        known = _known(attempt.generation_id for attempt in attempts)
        unsettled = {a.idempotency_key for a in attempts if a.state in ("open", "in_doubt")}
        self._forgotten = {
            made.id
            for key, others in self._ours.items()
            for made in others
            if made.id not in known and key not in unsettled
        }
        # which of equal rows has which generation is another matter in the older copy
        asked = select(JOB).where(JOB.c.in_manifest)
        self._rows = Counter(map(asked_key, store.read(lambda c: c.execute(asked).all())))
        self._ends = {
            job.id: (job.state, job.error_kind) for job in store.read(JOBS.all) if job.state in ENDS
        }

    def committed(self) -> None:
        """What was checked last is durable now; before that, a crash undoes it."""
        attempts, self._ends = self._next
        for attempt in attempts:
            if attempt.idempotency_key:
                self._jobs_of_keys[attempt.idempotency_key] = attempt.job_id
                self._wanted_by_keys[attempt.idempotency_key] = attempt.request_key

    def unmade(self) -> set[str]:
        """Name the prompts of what has no answer yet and made nothing: never sent, or refused."""
        return {
            attempt.prompt
            for attempt in self.invariants.attempts
            if attempt.state in ("open", "in_doubt") and attempt.idempotency_key not in self._ours
        }

    def made_by(self, store: Store, attempt_id: int) -> Made | None:
        """Say what an attempt really made: what only the provider's own page could tell."""
        attempt = store.read(lambda c: ONE_ATTEMPT.first(c, id=attempt_id))
        ids = select(ATTEMPT.c.generation_id)
        known = store.read(lambda c: _known(c.execute(ids).scalars()))
        # a person sees prompts, not attempts: what an equal one made may be this one's too, once
        # nothing more can come of it
        late = self.under_way(store, attempt_id)
        equal = [] if late else self._equal(attempt.request_key)
        for key in [attempt.idempotency_key, *equal]:
            for made in self._ours.get(key, ()):
                if made.id not in known:
                    return made
        return None

    def under_way(self, store: Store, attempt_id: int) -> bool:
        """Say whether an attempt's request may still arrive."""
        attempt = store.read(lambda c: ONE_ATTEMPT.first(c, id=attempt_id))
        equal = self._equal(attempt.request_key)
        return any(letter.key in equal for letter in self._account.letters)

    def _equal(self, request: str) -> list[str]:
        return [key for key, wanted in self._wanted_by_keys.items() if wanted == request]

    def cap_of(self, connection: Connection, key: str) -> int | None:
        """Read a cap."""
        cap: int | None = connection.execute(
            select(BUDGET.c.cap_micros).where(BUDGET.c.key == key)
        ).scalar_one_or_none()
        return cap

    def nothing_is_lost(self, store: Store) -> None:
        """Hold promise 3: every generation of ours is known, or its attempt is in doubt."""
        attempts = store.read(ATTEMPTS.all)
        known = _known(attempt.generation_id for attempt in attempts)
        lost: Counter[str] = Counter()
        for key, others in self._ours.items():
            lost[self._wanted_by_keys[key]] += sum(
                made.id not in known and made.id not in self._forgotten for made in others
            )
        # equal requests can't be told apart, and need not be: as many doubts as lost ones are kept
        doubts = Counter(a.request_key for a in attempts if a.state == "in_doubt")
        for wanted, count in lost.items():
            assert count <= doubts[wanted], f"lost: {count} of {wanted}"


def _known(names: Iterable[str | None]) -> set[str]:
    """Give ids as the provider knows them."""
    return {provider_id(name) for name in names if name is not None}
