"""Prices of kinds: learned from answers, or set by a person (:mod:`jobs.model.pricing`)."""

import logging
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, update

from ..database.tables import PRICE
from ..model import pricing
from ..model.money import usd_text
from ..model.pricing import Known
from .records.accounts import PriceRow
from .records.attempts import AttemptRow

log = logging.getLogger(__name__)


def known_of(row: PriceRow) -> Known:
    """Read a row of the price table."""
    return Known(row.last_micros, row.highest_micros, row.seen_at, row.odd_micros, row.odd_at)


def hold_of(known: PriceRow | None, limit: int | None, ceiling: int) -> int | None:
    """Return what to hold for one submission of a kind; None if it may not be bought.

    Args:
        known: its row of the price table; None if nothing is known of it.
        limit: the batch's highest price for one video, in micros; None if there is none.
        ceiling: micros to hold for a kind without a known price.
    """
    if known is None:
        price = ceiling if limit is None else limit
        return None if limit == 0 else price
    highest = known.highest_micros
    return None if limit is not None and highest > limit else highest


def learn(connection: Connection, attempt: AttemptRow, price: int, now: datetime) -> None:
    """Learn from the price in an answer.

    Args:
        attempt: from :func:`jobs.store.rows.attempt_row`.
        price: in micros, above 0.
        now: when the answer came.
    """
    kind = attempt.kind
    known = _known_before(attempt)
    found = pricing.learn(known, price, now)
    if known is None and found is not None:
        connection.execute(PRICE.insert().values(kind=kind, source="learned", **_values(found)))
        return
    odd = found is not None and known is not None and found.odd_at == now
    if odd and known is not None:
        log.warning(
            "%s cost $%s, and $%s before: charged, but trusted only when it is seen again",
            kind,
            usd_text(price),
            usd_text(known.last),
        )
    values = {} if found is None else _values(found)
    if not odd and attempt.price_source != "learned":
        values |= {"source": "learned", "seen_at": now}  # what was announced or set is confirmed
    if values:
        connection.execute(update(PRICE).where(PRICE.c.kind == kind).values(values))


def _known_before(attempt: AttemptRow) -> Known | None:
    """Return what is known of the price of an attempt's kind; None if nothing is."""
    last, highest, seen_at = attempt.last_micros, attempt.highest_micros, attempt.price_seen_at
    if last is None or highest is None or seen_at is None:
        return None
    return Known(last, highest, seen_at, attempt.odd_micros, attempt.odd_at)


def _values(known: Known) -> dict[str, Any]:
    return {
        "last_micros": known.last,
        "highest_micros": known.highest,
        "seen_at": known.seen_at,
        "odd_micros": known.odd,
        "odd_at": known.odd_at,
    }


def put(connection: Connection, kind: str, price: int, now: datetime) -> None:
    """Set what a kind costs, in micros, as a person says, until an answer shows another."""
    values = _values(Known(price, price, now)) | {"source": "set"}
    changed = connection.execute(update(PRICE).where(PRICE.c.kind == kind).values(values))
    if not changed.rowcount:
        connection.execute(PRICE.insert().values(kind=kind, **values))


def forget(connection: Connection, kind: str) -> None:
    """Forget what a kind costs: the next submission of it goes alone."""
    connection.execute(delete(PRICE).where(PRICE.c.kind == kind))
