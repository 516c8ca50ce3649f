"""Show and change the prices of kinds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from batchsora.presentation.json_shapes import iso
from batchsora.presentation.run_end import odd_lines
from batchsora.providers.registry import MODELS
from batchsora.settings import SettingsError
from batchsora.usecases.retry_cancel_abandon import agree
from batchsora.usecases.user_interface import UserInterface
from jobs.model.clock import Clock
from jobs.model.errors import NotFoundError
from jobs.model.money import to_micros, usd_text
from jobs.ports.seen import PriceRow
from jobs.store import Store

HEAD: Final = ("kind", "price", "reserves", "source", "seen")


@dataclass(frozen=True, slots=True)
class Change:
    """How a price is changed: ``dry`` only says so, ``consent`` was given before."""

    store: Store
    clock: Clock
    ui: UserInterface
    dry: bool
    consent: bool

    def make(self, said: str, write: Callable[[], object], document: dict[str, Any]) -> None:
        """Ask, change, and show the result; raise a NotAllowedError if nobody agrees."""
        if not self.dry:
            agree(f"{said}?", self.ui, consent=self.consent)
            write()
        outcome = "This was a dry run; nothing was changed." if self.dry else "Done."
        self.ui.result(document | {"dry_run": self.dry}, lambda: f"{said}. {outcome}")


def list_prices(store: Store, ui: UserInterface) -> None:
    """List the known prices."""
    found = list(store.queries.prices().values())
    ui.result([_json(row) for row in found], lambda: _text(found))


def set_price(kind: str, usd: str, change: Change) -> None:
    """Set the price of a kind; raise a SettingsError or NotFoundError if it is not valid."""
    try:
        micros = to_micros(usd)
    except ValueError as error:
        raise SettingsError(f"{error}; write the price in USD, like 0.18") from error
    if not micros:
        raise SettingsError("a price of 0 would reserve nothing, so no budget would protect you")
    _known(change.store, kind)
    now = change.clock.now()
    change.make(
        f"Set the price of {kind} to ${usd_text(micros)} until the provider shows another one",
        lambda: change.store.control.set_price(kind, micros, now),
        {"kind": kind, "price": usd_text(micros)},
    )


def forget_price(kind: str, change: Change) -> None:
    """Forget the price of a kind; raise a NotFoundError if it is not known."""
    if kind not in _known(change.store, kind):
        raise NotFoundError(f"no price of {kind} is known, so nothing was changed")
    change.make(
        f"Forget the price of {kind} and buy the next video of it alone to learn it",
        lambda: change.store.control.forget_price(kind),
        {"kind": kind, "price": None},
    )


def _known(store: Store, kind: str) -> Mapping[str, PriceRow]:
    """Return the known prices; there must be such a kind."""
    found = store.queries.prices()
    kinds = sorted({*found, *(kind.key for model in MODELS.values() for kind in model.kinds)})
    if kind not in kinds:
        raise NotFoundError(f"there is no kind {kind!r}; there are {', '.join(kinds)}")
    return found


def _json(row: PriceRow) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "price": usd_text(row.last_micros),
        "reserves": usd_text(row.highest_micros),
        "source": row.source,
        "seen_at": iso(row.seen_at),
        "odd": None if row.odd_micros is None else usd_text(row.odd_micros),
        "odd_at": iso(row.odd_at),
    }


def _text(found: Sequence[PriceRow]) -> str:
    lines = [HEAD] + [
        (
            row.kind,
            f"${usd_text(row.last_micros)}",
            f"${usd_text(row.highest_micros)}",
            row.source,
            f"{row.seen_at:%Y-%m-%d %H:%M} UTC",
        )
        for row in found
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    table = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([*table, *odd_lines(found)]) if found else "no prices are known yet"
