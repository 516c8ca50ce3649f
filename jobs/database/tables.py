"""The tables: SQLModel declares them, SQLAlchemy Core works on their ``__table__``.

Only migrations create them (``migrations/``); a test checks that both agree. Invariants that must
survive any bug above are ``CHECK`` constraints and partial unique indexes.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    DDL,
    JSON,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Table,
    Text,
    UniqueConstraint,
    event,
    text,
)
from sqlmodel import Field

from ..model.states import FOUND, LIVE_ATTEMPTS, AttemptState, FailureKind, HeldBack, JobState
from ..ports.events import EXPECTED
from .columns import (
    Base,
    added_amount_column,
    amount_column,
    flag_column,
    json_column,
    sql_list,
    text_column,
    time_column,
)
from .triggers import ON_ATTEMPTS, ON_JOBS


class Account(Base, table=True):
    """The owner of this database, and what was last seen of the account: one row, id 1.

    ``host`` and ``run_id`` name the machine and the run that last bought from it; ``list_lags`` are
    the longest times, in seconds, that the list of each family took to show an acceptance of ours.
    The ``quiet`` reading of the balance is the last one while nothing was under way or in doubt
    (:mod:`jobs.store.quiet`): by our clock and by the provider's, with the newest attempt then and
    how many might be refunded. ``agreed`` is what was charged while quiet readings fell by just
    that, up to ``drift``; ``unsteady`` is by when, by both clocks, something had moved it, or might
    have, that purchases do not explain; ``exceeded``: a later reading fell by more than was known.
    ``cut_off`` is what the first reading after our own crash showed beside that, until it is found,
    and the newest attempt then. ``serving``: a runner takes what is handed over. ``seal``: who may
    treat what is kept here as consent (:mod:`jobs.database.seal`). ``stop_run`` is asked to end.
    """

    __tablename__ = "account"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: int | None = Field(default=None, primary_key=True)
    api_origin: str | None = text_column()
    token_salt: str | None = text_column()
    token_hash: str | None = text_column()
    floor_micros: int = amount_column(default=0)
    balance_micros: int | None = amount_column(default=None)
    balance_at: datetime | None = time_column()
    time_zone: str = Field(default="UTC", sa_column=Column(Text, nullable=False))
    first_balance_micros: int | None = amount_column(default=None)
    first_balance_at: datetime | None = time_column()
    first_charged_micros: int | None = amount_column(default=None)
    host: str | None = text_column()
    run_id: str | None = text_column()
    run_at: datetime | None = time_column()
    list_lags: dict[str, float] = json_column(added=True)
    quiet_balance_micros: int | None = amount_column(default=None)
    quiet_charged_micros: int | None = amount_column(default=None)
    quiet_at: datetime | None = time_column()
    serving: bool = flag_column()
    quiet_theirs: datetime | None = time_column()
    quiet_attempt: int | None = None
    quiet_mishaps: int | None = None
    agreed_micros: int = added_amount_column()
    drift_micros: int = added_amount_column()
    unsteady_at: datetime | None = time_column()
    unsteady_ours: datetime | None = time_column()
    exceeded: bool = flag_column()
    cut_off_micros: int = added_amount_column()
    cut_off_attempt: int | None = None
    seal: str | None = text_column()
    stop_run: str | None = text_column()


class Batch(Base, table=True):
    """One loaded manifest; a removed one is in no list, but its attempts stay known."""

    __tablename__ = "batch"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    source: str | None = text_column()
    columns: list[str] = Field(sa_column=Column(JSON, nullable=False))
    active: bool = False
    paused: bool = False
    max_price_micros: int | None = amount_column(default=None)
    waiting_for: str | None = text_column()
    created_at: datetime = time_column(required=True)
    refunds: str = Field(sa_column=Column(Text, nullable=False, server_default="none"))
    removed_at: datetime | None = time_column()
    reading: dict[str, Any] | None = json_column()
    archived_at: datetime | None = time_column()


class Budget(Base, table=True):
    """What a cap counts: ``batch:ID``, ``campaign:ID:NAME``, ``day:YYYY-MM-DD`` or ``account``.

    The claim keeps ``charged + held ≤ cap``. It is not a ``CHECK``, because a provider that charges
    more than announced must still be written down.
    """

    __tablename__ = "budget"
    __table_args__ = (
        CheckConstraint("held_micros >= 0", name="held"),
        CheckConstraint("charged_micros >= 0", name="charged"),
        CheckConstraint("refunded_micros >= 0", name="refunded"),
    )

    key: str = Field(sa_column=Column(Text, primary_key=True))
    cap_micros: int | None = amount_column(default=None)
    charged_micros: int = amount_column(default=0)
    held_micros: int = amount_column(default=0)
    refunded_micros: int = amount_column(default=0)


class Price(Base, table=True):
    """What a kind of generation costs, how we know it, and since when.

    ``odd_micros`` is a very different price that was charged once; the second time it is believed.
    """

    __tablename__ = "price"
    __table_args__ = (CheckConstraint("source IN ('configured', 'learned', 'set')", name="source"),)

    kind: str = Field(sa_column=Column(Text, primary_key=True))
    last_micros: int = amount_column()
    highest_micros: int = amount_column()
    source: str = text_column(required=True)
    seen_at: datetime = time_column(required=True)
    odd_micros: int | None = amount_column(default=None)
    odd_at: datetime | None = time_column()


_JOB_STATES = sql_list([*JobState])
_ATTEMPT_STATES = sql_list([*AttemptState])
_KINDS = sql_list([*FailureKind])
_HELD_BACK = sql_list([*HeldBack])
_FOUND = sql_list(FOUND)
LIVE = text(f"state IN {sql_list([*LIVE_ATTEMPTS])}")
QUEUED = text("state = 'queued'")
BUYABLE = text("state = 'queued' AND held_back IS NULL")
HANDED = text("handed")
NAMED = text("named")
HELD_BACK = text("held_back IS NOT NULL")
LATER = text("state = 'queued' AND due_at IS NOT NULL")
UNSETTLED = text("state IN ('open', 'in_doubt')")
"""Attempts whose generation may be in the account under an id we do not know."""

VOID = text("state = 'void'")
PAID = text("generation_id IS NOT NULL")
ENDED = text("completed_at IS NOT NULL")
NOTABLE = text(f"kind NOT IN {sql_list(EXPECTED)}")

UNFILED = text("state = 'completed' AND filed_attempt_id IS NOT attempt_id")
"""Completed jobs whose file is not here."""


class Tally(Base, table=True):
    """How many jobs of a batch are in a state, so that nobody counts a million rows.

    :func:`jobs.store.rows.tally_new` adds inserted jobs, triggers do the rest. ``error_kind`` is
    empty except for failed jobs.
    """

    __tablename__ = "tally"
    __table_args__ = ({"sqlite_with_rowid": False},)

    batch_id: int = Field(primary_key=True)
    state: str = Field(sa_column=Column(Text, primary_key=True))
    error_kind: str = Field(sa_column=Column(Text, primary_key=True))
    jobs: int


class Job(Base, table=True):
    """One wanted video; ``filed_attempt_id`` is the attempt whose file is here.

    ``held_back`` says why no runner buys it although it is queued, ``held_back_by`` which
    generation or job is the reason; ``held_beneath`` keeps that nobody has asked for a row about
    which something was found. ``overruled_at`` is when a person said to buy it whatever existed
    then; ``handed``: to the runner that is alive; ``named``: asked for by name, so that no pick
    leaves it out.
    """

    __tablename__ = "job"
    __table_args__ = (
        UniqueConstraint("batch_id", "key"),
        CheckConstraint(f"state IN {_JOB_STATES}", name="state"),
        CheckConstraint(f"error_kind IS NULL OR error_kind IN {_KINDS}", name="error_kind"),
        CheckConstraint("state != 'failed' OR error_kind IS NOT NULL", name="failed_has_kind"),
        CheckConstraint("state != 'completed' OR video_url IS NOT NULL", name="completed_has_url"),
        CheckConstraint(f"held_back IS NULL OR held_back IN {_HELD_BACK}", name="held_back"),
        CheckConstraint(f"held_beneath IS NULL OR held_back IN {_FOUND}", name="held_beneath"),
        Index(  # the last columns answer what is left without a look at the rows
            "ix_job_queue", "batch_id", "retries", text("priority DESC"), "id",
            "in_manifest", "row", "due_at",
            sqlite_where=BUYABLE,
        ),
        Index("ix_job_handed", "state", "batch_id", sqlite_where=HANDED),
        Index("ix_job_held_back", "batch_id", "held_back", sqlite_where=HELD_BACK),
        Index("ix_job_later", "batch_id", "due_at", sqlite_where=LATER),
        Index("ix_job_batch_state", "batch_id", "state"),
        Index("ix_job_unfiled", "batch_id", sqlite_where=UNFILED),
        Index("ix_job_completed", "batch_id", "completed_at", sqlite_where=ENDED),
    )  # fmt: skip

    id: int | None = Field(default=None, primary_key=True)
    batch_id: int = Field(sa_column=Column(ForeignKey("batch.id"), nullable=False))
    key: str = text_column(required=True)
    key_from_content: bool = False
    row: int
    fingerprint: str = text_column(required=True)
    manifest_fingerprint: str | None = text_column()
    kind: str = text_column(required=True)
    prompt: str = text_column(required=True)
    orientation: str = text_column(required=True)
    duration: int | None = None
    image: dict[str, Any] | None = json_column()
    callback_url: str | None = text_column()
    parameters: dict[str, Any] = json_column(added=True)
    images: dict[str, Any] = json_column(added=True)
    campaign: str | None = text_column()
    priority: int = 0
    in_manifest: bool = True
    cells: dict[str, str] = Field(sa_column=Column(JSON, nullable=False))

    state: str = text_column(required=True)
    attempt_id: int | None = None
    attempts: int = 0
    retries: int = 0
    due_at: datetime | None = time_column()
    held_back: str | None = text_column()
    held_back_by: str | None = text_column()
    held_beneath: str | None = text_column()
    overruled_at: datetime | None = time_column()
    handed: bool = flag_column()
    charged_micros: int = amount_column(default=0)
    video_url: str | None = text_column()
    error_kind: str | None = text_column()
    error: str | None = text_column()
    created_at: datetime = time_column(required=True)
    submitted_at: datetime | None = time_column()
    completed_at: datetime | None = time_column()
    filed_attempt_id: int | None = None
    named: bool = flag_column()


class Attempt(Base, table=True):
    """One paid submission of a job: the intent is here before its POST leaves.

    ``fingerprint``, ``request_key`` (:func:`jobs.model.spec.asked_key`) and ``prompt_key``
    (:func:`jobs.model.text.prompt_key`) say what was asked for; ``created_at`` is the provider's
    own time; ``candidates`` are the generations that a doubt can't be told apart from;
    ``refunded_micros`` counts as refunded under the batch's ``refunds``. ``batch_id`` and
    ``campaign`` are those under whose budgets it was reserved; ``said_state`` is the provider's own
    word if we do not know it; ``doubt_clock`` is when it went in doubt by the machine's boot clock;
    ``unproven`` is why the list could not settle it so far; ``video_url`` is where its finished
    video was; all of these whatever becomes of its job. ``void_on_word``: a person said so;
    ``cut_off``: by our own crash; ``seen_charged``: the balance fell for it; ``mark``: what the
    list shows of it alone; ``announced_as``: what a callback to its own address named.
    """

    __tablename__ = "attempt"
    __table_args__ = (
        CheckConstraint(f"state IN {_ATTEMPT_STATES}", name="state"),
        CheckConstraint("hold_micros >= 0", name="hold"),
        CheckConstraint(
            "state NOT IN ('accepted', 'completed', 'failed', 'abandoned')"
            " OR (generation_id IS NOT NULL AND price_micros IS NOT NULL)",
            name="accepted_has_id_and_price",
        ),
        CheckConstraint(
            "state NOT IN ('rejected', 'void') OR price_micros IS NULL", name="not_created_is_free"
        ),
        Index("uq_attempt_live", "job_id", unique=True, sqlite_where=LIVE),
        Index("uq_attempt_generation_id", "generation_id", unique=True),
        Index("ix_attempt_look", "next_look_at", sqlite_where=text("state = 'accepted'")),
        Index("ix_attempt_job_id", "job_id"),
        Index("ix_attempt_unsettled", "prompt_key", sqlite_where=UNSETTLED),
        Index("ix_attempt_void", "ended_at", sqlite_where=VOID),
        Index("ix_attempt_request_key", "request_key", sqlite_where=PAID),
        Index("ix_attempt_failed", "ended_at", sqlite_where=text("state = 'failed'")),
        Index("ix_attempt_given_up", "accepted_at", sqlite_where=text("state = 'abandoned'")),
        Index("ix_attempt_estimated", "accepted_at", sqlite_where=text("price_estimated")),
    )  # fmt: skip

    id: int | None = Field(default=None, primary_key=True)
    job_id: int = Field(sa_column=Column(ForeignKey("job.id"), nullable=False))
    state: str = text_column(required=True)
    idempotency_key: str = text_column(required=True)
    kind: str = text_column(required=True)
    prompt: str = text_column(required=True)
    hold_micros: int = amount_column()
    day: str = text_column(required=True)
    intent_at: datetime = time_column(required=True)
    send_before: datetime = time_column(required=True)
    doubt_since: datetime | None = time_column()
    generation_id: str | None = text_column()
    price_micros: int | None = amount_column(default=None)
    price_estimated: bool = False
    accepted_at: datetime | None = time_column()
    next_look_at: datetime | None = time_column()
    overdue_at: datetime | None = time_column()
    percent: int | None = None
    queue_position: int | None = None
    ended_at: datetime | None = time_column()
    error: str | None = text_column()
    fingerprint: str | None = text_column()
    prompt_key: str | None = text_column()
    created_at: datetime | None = time_column()
    candidates: list[dict[str, Any]] | None = json_column()
    refunded_micros: int = added_amount_column()
    batch_id: int | None = None
    campaign: str | None = text_column()
    said_state: str | None = text_column()
    doubt_clock: str | None = text_column()
    unproven: str | None = text_column()
    video_url: str | None = text_column()
    void_on_word: bool = flag_column()
    cut_off: bool = flag_column()
    seen_charged: bool = flag_column()
    request_key: str | None = text_column()
    mark: str | None = text_column()
    announced_as: str | None = text_column()


class Artifact(Base, table=True):
    """The file of a completed attempt: wanted, or there."""

    __tablename__ = "artifact"
    __table_args__ = (
        CheckConstraint(
            "sha256 IS NULL OR (path IS NOT NULL AND bytes IS NOT NULL)", name="there_is_whole"
        ),
    )

    attempt_id: int = Field(sa_column=Column(ForeignKey("attempt.id"), primary_key=True))
    job_id: int = Field(sa_column=Column(ForeignKey("job.id"), nullable=False, index=True))
    path: str | None = text_column()
    bytes: int | None = amount_column(default=None)
    sha256: str | None = text_column()
    tries: int = 0
    error: str | None = text_column()
    fetched_at: datetime | None = time_column()


class Review(Base, table=True):
    """What a person thinks of a video: ``favourite`` or ``rejected``."""

    __tablename__ = "review"
    __table_args__ = (CheckConstraint("verdict IN ('favourite', 'rejected')", name="verdict"),)

    attempt_id: int = Field(sa_column=Column(ForeignKey("attempt.id"), primary_key=True))
    verdict: str = text_column(required=True)
    at: datetime = time_column(required=True)


class Event(Base, table=True):
    """What happened, and why (:mod:`jobs.ports.events`)."""

    __tablename__ = "event"
    __table_args__ = (Index("ix_event_notable", "batch_id", "id", sqlite_where=NOTABLE),)

    id: int | None = Field(default=None, primary_key=True)
    at: datetime = time_column(required=True)
    kind: str = text_column(required=True)
    batch_id: int | None = None
    job_id: int | None = None
    attempt_id: int | None = None
    reason: str | None = text_column()
    message: str | None = text_column()


def _table(model: type[Base]) -> Table:
    return model.__table__  # type: ignore[attr-defined,no-any-return]


_MODELS: tuple[type[Base], ...] = (
    Account, Batch, Budget, Price, Tally, Job, Attempt, Artifact, Review, Event,
)  # fmt: skip
ACCOUNT, BATCH, BUDGET, PRICE, TALLY, JOB, ATTEMPT, ARTIFACT, REVIEW, EVENT = map(_table, _MODELS)

for _on, _triggers in {JOB: ON_JOBS, ATTEMPT: ON_ATTEMPTS}.items():
    for _trigger in _triggers:
        event.listen(_on, "after_create", DDL(_trigger))  # type: ignore[no-untyped-call]
