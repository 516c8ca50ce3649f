"""Keeping what may be spent: what a person sets now overrides the manifest and what was kept."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from ..model.errors import NoSuchCampaignError
from ..model.ledger import Refunds, Scope, batch_key, campaign_key, day_key
from ..ports.control import Replaced, Terms, TermsKept
from . import accounts, steering, views


def keep(connection: Connection, batch_id: int, said: Terms, now: datetime) -> TermsKept:
    """Keep what a person says may be spent of a batch and of the account."""
    if said.time_zone is not None:  # first: it says which day it is
        accounts.set_time_zone(connection, said.time_zone)
    terms, passed_over = _begin_with(connection, batch_id, said, now)
    replaced: list[Replaced] = []

    def cap(scope: Scope, key: str, new: int, campaign: str | None = None) -> None:
        old = accounts.set_cap(connection, key, new)
        if old is not None and old != new:
            replaced.append(Replaced(scope, campaign, old, new))

    if terms.batch is not None:
        cap(Scope.BATCH, batch_key(batch_id), terms.batch)
    _check_campaigns(connection, batch_id, terms.checked)
    for name, amount in terms.campaigns.items():
        cap(Scope.CAMPAIGN, campaign_key(batch_id, name), amount, name)
    if terms.day is not None:
        cap(Scope.DAY, day_key(accounts.current_day(connection, now)), terms.day)
    if terms.max_price is not None:
        steering.set_max_price(connection, batch_id, terms.max_price)
    if terms.floor is not None:
        accounts.keep(connection, floor_micros=terms.floor)
    return TermsKept(replaced, passed_over, _refunds(connection, batch_id, terms))


def _refunds(connection: Connection, batch_id: int, terms: Terms) -> Refunds | None:
    if terms.refunds is None:
        return None
    before = steering.set_refunds(connection, batch_id, terms.refunds)
    return None if before is terms.refunds else before


def _begin_with(
    connection: Connection, batch_id: int, terms: Terms, now: datetime
) -> tuple[Terms, Mapping[str, int]]:
    """Apply initial values where nothing is set now and nothing is kept.

    Returns:
        The terms, and the kept values that differ from the initial ones.
    """
    passed_over: dict[str, int] = {}
    counts: dict[str, Any] = {}
    for name, micros in terms.begin.items():
        kept = _kept(connection, batch_id, name, now)
        if kept is None:
            counts["floor" if name == "min_balance" else name] = micros
        elif kept != micros:
            passed_over[name] = kept
    return replace(terms, **counts), passed_over


def _kept(connection: Connection, batch_id: int, name: str, now: datetime) -> int | None:
    """Read a cap as an earlier run left it."""
    match name:
        case "batch":
            return accounts.cap(connection, batch_key(batch_id))
        case "day":
            return accounts.cap(connection, day_key(accounts.current_day(connection, now)))
        case "max_price":
            return steering.max_price(connection, batch_id)
    return accounts.read_account(connection).floor_micros or None


def _check_campaigns(connection: Connection, batch_id: int, campaigns: Collection[str]) -> None:
    """Refuse a cap that would cap nothing: a misspelt campaign would spend without limit."""
    known = views.campaigns(connection, batch_id) if campaigns else []
    for name in campaigns:
        if name not in known:
            raise NoSuchCampaignError(name, known[:10])
