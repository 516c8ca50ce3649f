"""On which terms a program's batch is bought: checked as strictly as the command line's options."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypedDict

from batchsora.app.earlier import OnExisting
from batchsora.app.loading import Caps
from batchsora.app.picks import MOST_SAMPLED, Pick
from batchsora.app.run import RunTerms
from batchsora.app.terms import run_terms, usual_folder
from batchsora.fetch.pace import rate_of
from jobs.money import to_micros

Usd = Decimal | str | int
"""An amount in US dollars; never a float, which can't say 0.1."""


class Terms(TypedDict, total=False):
    """On which terms a run buys; named as the command line's options are (docs/commands.md)."""

    budget: Usd
    day_budget: Usd
    max_price: Usd
    min_balance: Usd
    campaign_budgets: dict[str, Usd]
    max_in_flight: int
    rate: float
    poll_interval: float
    request_timeout: float
    generation_timeout: float
    grace: float
    retries: int
    wait_for_funds: bool
    download: str | Path | None
    download_rate: str | float
    first: int
    sample: int
    seed: int
    skip_invalid: bool
    on_existing: str
    yes: bool


@dataclass(frozen=True, slots=True)
class _Number:
    """What a number may be; the same ranges as the options have."""

    least: float
    most: float
    whole: bool = False

    def check(self, name: str, value: Any) -> None:
        """Refuse what it may not be.

        Raises:
            TypeError, ValueError: the text names the term.
        """
        kinds = int if self.whole else int | float
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise TypeError(
                f"{name} must be a {'whole ' if self.whole else ''}number, not {value!r}"
            )
        if not self.least <= value <= self.most:
            raise ValueError(f"{name} must be from {self.least:g} to {self.most:g}, not {value!r}")


SECONDS: Final = _Number(0.05, 7 * 86400)
_RUN: Final = {
    "max_in_flight": _Number(1, 100_000, whole=True),
    "rate": _Number(0, 10_000),
    "poll_interval": SECONDS,
    "request_timeout": SECONDS,
    "generation_timeout": SECONDS,
    "grace": SECONDS,
    "retries": _Number(0, 20, whole=True),
}
_PICK: Final = {
    "first": _Number(1, 10**9, whole=True),
    "sample": _Number(1, MOST_SAMPLED, whole=True),
    "seed": _Number(-(2**63), 2**63, whole=True),
}
_FLAGS: Final = ("wait_for_funds", "skip_invalid", "yes")


def check(terms: Mapping[str, Any]) -> None:
    """Make sure that terms can be kept: a misspelt cap would cap nothing.

    Raises:
        TypeError: one is unknown, or of the wrong type.
        ValueError: one is beyond its range.
    """
    for name, value in terms.items():
        if name not in Terms.__annotations__:
            near = get_close_matches(name, Terms.__annotations__, 1)
            hint = f"did you mean {near[0]!r}?" if near else "docs/python.md lists them"
            raise TypeError(f"there is no term {name!r}; {hint}")
        if (number := (_RUN | _PICK).get(name)) is not None and value is not None:
            number.check(name, value)
        if name in _FLAGS and not isinstance(value, bool):
            raise TypeError(f"{name} must be True or False, not {value!r}")
    if terms.get("first") is not None and terms.get("sample") is not None:
        raise ValueError("give first or sample, not both")
    if terms.get("download_rate") is not None:
        _rate(terms["download_rate"])
    if "on_existing" in terms:
        OnExisting(terms["on_existing"])


def caps(terms: Terms) -> Caps:
    """Read the caps.

    Raises:
        TypeError, ValueError: one is no amount.
    """
    return Caps(
        batch=_usd("budget", terms.get("budget")),
        campaigns={
            name: amount
            for name, text in terms.get("campaign_budgets", {}).items()
            if (amount := _usd(f"campaign_budgets[{name!r}]", text)) is not None
        },
        day=_usd("day_budget", terms.get("day_budget")),
        max_price=_usd("max_price", terms.get("max_price")),
        min_balance=_usd("min_balance", terms.get("min_balance")),
    )


def _usd(name: str, amount: Any) -> Decimal | None:
    if amount is None:
        return None
    if not isinstance(amount, Decimal | str | int) or isinstance(amount, bool):
        raise TypeError(f'{name}: write it as text or Decimal, like "6.00"')
    try:
        found = Decimal(amount)
        to_micros(found)
    except (InvalidOperation, ValueError):
        raise ValueError(f'{name}: {amount!r} is no amount in USD; write it like "6.00"') from None
    return found


def _rate(given: Any) -> int:
    if not isinstance(given, str | int | float) or isinstance(given, bool):
        raise TypeError(f'download_rate: write it like "2M", or as a number, not {given!r}')
    try:
        return rate_of(given)
    except ValueError as error:
        raise ValueError(f"download_rate: {error}") from None


def pick(terms: Terms) -> Pick:
    """Read which rows are meant."""
    return Pick(terms.get("first"), terms.get("sample"), terms.get("seed", 0))


def run_terms_of(terms: Terms, *, sandbox: bool) -> RunTerms:
    """Read pace, patience and where the files go."""
    folder = terms.get("download", usual_folder(rehearsal=sandbox))
    numbers: dict[str, Any] = {
        name: value
        for name, value in terms.items()
        if (name in _RUN or name == "wait_for_funds") and value is not None
    }
    rate = terms.get("download_rate")
    return run_terms(
        None if folder is None else Path(folder),
        rehearsal=sandbox,
        download_rate=0 if rate is None else _rate(rate),
        **numbers,
    )
