"""What a row has heard before: earlier attempts are kept with the provider's words."""

from datetime import timedelta

from sqlalchemy import Connection, bindparam, select, text

from ..database.tables import ATTEMPT
from ..evidence.blame import Heard, same_words
from ..model.states import AttemptState
from .prepared import Prepared
from .records.attempts import EarlierRefusal, RefusedAttempt, SentAt

MOST_LOOKED_AT = 50
"""Most earlier attempts of a job that are compared, the newest first."""

SAME_NIGHT = timedelta(days=1)
"""An acceptance this long before a refusal shows that the account took submissions then."""

LASTING = timedelta(hours=1)
"""A row that hears the same this long after the first time did not just meet a bad hour of the
account: refused rows and a refused account look the same for a while."""

THIS = Prepared(
    select(ATTEMPT.c.job_id, ATTEMPT.c.fingerprint, ATTEMPT.c.intent_at).where(
        ATTEMPT.c.id == bindparam("attempt")
    ),
    RefusedAttempt,
)
"""The attempt whose answer it is."""

_EARLIER = Prepared(
    select(ATTEMPT.c.id, ATTEMPT.c.error, ATTEMPT.c.intent_at)
    .where(
        ATTEMPT.c.job_id == bindparam("job"),
        ATTEMPT.c.id < bindparam("attempt"),
        ATTEMPT.c.fingerprint == bindparam("fingerprint"),
        text(f"+state = '{AttemptState.REJECTED}'"),
    )
    .order_by(ATTEMPT.c.id.desc())
    .limit(MOST_LOOKED_AT),
    EarlierRefusal,
)
# what was taken over from the list held no money, and shows nothing about submissions
_TAKEN = select(ATTEMPT.c.id).where(text("+generation_id IS NOT NULL"), ATTEMPT.c.hold_micros > 0)
_TAKEN_SINCE = Prepared(_TAKEN.where(ATTEMPT.c.id > bindparam("attempt")).limit(1))
TAKEN_BEFORE = Prepared(
    _TAKEN.add_columns(ATTEMPT.c.intent_at)
    .where(ATTEMPT.c.id < bindparam("attempt"))
    .order_by(ATTEMPT.c.id.desc())
    .limit(1),
    SentAt,
)
"""The last submission before ``attempt`` that was accepted: its number, and when it was sent."""


def heard(connection: Connection, attempt_id: int, message: str) -> Heard:
    """Return whether a row has heard a refusal before, for the same request."""
    this = THIS.one(connection, attempt=attempt_id)
    words = same_words(message)
    earlier = _EARLIER.all(
        connection, job=this.job_id, attempt=attempt_id, fingerprint=this.fingerprint
    )
    alike = [one for one in earlier if same_words(one.error or "").endswith(words)]
    if not alike:
        return Heard.NEVER
    oldest = alike[-1]  # what was accepted since is no less so because it was refused again
    if _TAKEN_SINCE.first(connection, attempt=oldest.id) is not None:
        return Heard.AND_OTHERS_TAKEN
    taken = TAKEN_BEFORE.first(connection, attempt=oldest.id)
    same_night = taken is not None and oldest.intent_at - taken.intent_at <= SAME_NIGHT
    lasts = this.intent_at - oldest.intent_at >= LASTING
    return Heard.AFTER_OTHERS if same_night and lasts else Heard.BEFORE
