"""What the answers to submissions leave in the database."""

from sqlalchemy import Connection

from ..model.provider import Accepted, InDoubt, Refused, Rejected, Throttled, Unsent
from ..ports.purchases import Answer
from . import haste, outcomes


def write(connection: Connection, answer: Answer) -> bool:
    """Write an answer down.

    Args:
        connection: in a writing transaction.
        answer: what became of a POST.

    Returns:
        False for an acceptance that did not land (:func:`jobs.store.outcomes.accept`).
    """
    attempt, now = answer.attempt_id, answer.at
    match answer.outcome:
        case Accepted(generation_id, price):
            landed = outcomes.accept(
                connection, attempt, generation_id, price, now, answer.first_look
            )
            haste.let_forward(connection)
            return landed
        case Rejected(kind, message):
            outcomes.reject(connection, attempt, kind, message, now)
        case Throttled(_, words):
            haste.throttle(connection, attempt, words, now)
        case Refused(cause, message, sure=False):
            haste.set_aside(connection, attempt, cause, message, now)
        case Refused(cause, message):
            haste.refuse(connection, attempt, cause, message, now)
            for number in answer.put_back:
                outcomes.put_back(connection, number)
        case Unsent(reason):
            outcomes.release(connection, attempt, reason)
        case InDoubt(reason):
            outcomes.doubt(connection, attempt, reason, now, answer.boot)
    return True
