"""What can go wrong: rates of submissions and reads, and how the provider then answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Final

from batchsora.sandbox.account import Refunds, chance
from batchsora.sandbox.answers import checked, number, rate, seconds
from batchsora.sandbox.listing import Listing, echoes
from batchsora.sandbox.manners import (
    MOMENTS,
    REFUSALS,
    Address,
    Expiry,
    Manners,
    Odd,
    OddPrice,
    Outage,
    Refusal,
    one_of,
    read_file,
    read_form,
)
from batchsora.sandbox.table import ROWS


class Fault(StrEnum):
    """What happens to one submission."""

    NONE = "none"
    DROP = "drop"
    LOST = "lost"
    ERROR = "error"
    BROKEN = "broken"
    LATE = "late"
    THROTTLE = "throttle"
    GARBLED = "garbled"


_SUBMISSION_FAULTS = tuple(fault for fault in Fault if fault is not Fault.NONE)
_ROUNDING = 1e-9  # what a sum of rates such as 0.1 may be off by
_ALL: Final = {"failure": "fail", "sick-as": "sick"}  # words whose rate is 1 where none is named


def _word(text: str) -> str:
    if not text:
        raise ValueError("needs a value")
    return text


def _price(text: str) -> str:
    if text != "none":
        number(text, 1e6)
    return text


def _switch(text: str) -> bool:
    if text:
        raise ValueError("takes no value")
    return True


def _as(name: str, read: Callable[[str], Any]) -> Callable[[str], dict[str, Any]]:
    return lambda text: {name: read(text)}


@dataclass(frozen=True, slots=True)
class Faults:
    """Rates from 0 to 1, two times in seconds, and manners; :mod:`.table` describes each."""

    drop: float = 0.0
    lost: float = 0.0
    error: float = 0.0
    broken: float = 0.0
    late: float = 0.0
    throttle: float = 0.0
    garbled: float = 0.0
    flaky: float = 0.0
    foreign: float = 0.0
    twin: float = 0.0
    cut: float = 0.0
    fail: float = 0.0
    late_seconds: float = 90.0
    lag: float = 0.0
    manners: Manners = field(default_factory=Manners)

    @classmethod
    def parse(cls, text: str) -> "Faults":
        """Read ``drop=0.1,list=capped:20+lossy:0.1,quota=3``; ``table`` lists all there is.

        Rates of what happens to one POST are at most 1 together.

        Raises:
            ValueError: an unknown name, a value that can't be read, or rates of what happens to
                one POST that are more than 1 together.
        """
        found: dict[str, Any] = {}
        given = set()
        for part in filter(None, (piece.strip() for piece in text.split(","))):
            name, _, value = part.partition("=")
            if name not in READERS:
                raise ValueError(f"unknown fault {name!r}; available: {', '.join(READERS)}")
            try:
                found |= READERS[name](value)
            except ValueError as error:
                like = next(row.example for row in ROWS if row.name == name)
                raise ValueError(f"{part!r}: {error}; write it like {like}") from None
            given.add(name)
        for name, share in _ALL.items():
            if name in given and share not in given:
                found[share] = 1.0
        if sum(found.get(fault, 0.0) for fault in _SUBMISSION_FAULTS) > 1 + _ROUNDING:
            raise ValueError(f"{', '.join(_SUBMISSION_FAULTS)}: together at most 1")
        rates = {name: found.pop(name) for name in _RATES if name in found}
        return cls(**rates, manners=Manners(**found))

    def of_submission(self, seed: int, prompt: str, turn: int) -> Fault:
        """Return what happens to the ``turn``-th POST of a prompt."""
        drawn = chance(seed, "submit", prompt, turn)
        for fault in _SUBMISSION_FAULTS:
            share: float = getattr(self, fault)
            if drawn < share:
                return fault
            drawn -= share
        return Fault.NONE

    def happens(self, rate: float, seed: int, *what: object) -> bool:
        """Return whether something happens that has a rate of its own."""
        return rate > 0 and chance(seed, *what) < rate


_RATES: Final = tuple(item.name for item in fields(Faults) if item.name != "manners")
READERS: Final[Mapping[str, Callable[[str], dict[str, Any]]]] = {
    **{name: _as(name, rate) for name in _RATES},
    "late_seconds": _as("late_seconds", seconds),
    "lag": _as("lag", seconds),
    **{name: _as(name.replace("-", "_"), Refusal.reader(name)) for name in REFUSALS},
    **{
        f"status-{phase}": _as(f"status_{phase}", _word)
        for phase in ("pending", "processing", "completed", "failed")
    },
    "status-share": _as("status_share", rate),
    "callback-refused": _as("callback_refused", _switch),
    "posts": _as("posts", checked),
    "balance": _as("balance", checked),
    "balance-late": _as("balance_late", seconds),
    "refunds": _as("refunds", Refunds.read),
    "discount": _as("discount", rate),
    "reserves": _as("reserves", seconds),
    "outage": _as("outages", Outage.read),
    "list": _as("listing", Listing.read),
    "echo": _as("echo", echoes),
    "failure": _as("failure", lambda text: tuple(map(_word, text.split("+")))),
    "failure-form": read_form,
    "stuck": _as("stuck", rate),
    "sick": _as("sick", rate),
    "sick-as": _as("sick_as", checked),
    "odd-time": _as("odd_time", Odd.read),
    "odd-date": _as("odd_date", one_of(MOMENTS)),
    "upper-ids": _as("upper_ids", _switch),
    "odd-price": _as("odd_price", OddPrice.read),
    "price": _as("price", _price),
    "address": _as("address", Address.read),
    "address-expired": _as("expiry", Expiry.read),
    "file": _as("file", read_file),
}
"""What reads the value of each name, into fields of :class:`Faults` and :class:`Manners`."""
