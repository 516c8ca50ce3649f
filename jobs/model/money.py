"""Money as integer micro-dollars inside and ``Decimal`` dollars at the edges, never a float.

The provider quotes four decimals (``"0.1200"``), so six lose nothing.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from typing import NewType

Micros = NewType("Micros", int)  # an amount in millionths of a US dollar

MICROS_PER_USD = 1_000_000
LARGEST_USD = Decimal(1_000_000_000)
"""Above this an amount is a mistake or an attack, and it would not fit a 64-bit column."""


def to_micros(usd: Decimal | str | int) -> Micros:
    """Turn dollars into micros; what is finer is rounded up. ValueError: not an amount of money.

    Raises:
        ValueError: it is not finite, negative, or absurdly large.
    """
    return _whole(usd, ROUND_CEILING)


def cap_micros(usd: Decimal | str | int) -> Micros:
    """Turn a limit into micros as :func:`to_micros`, but cut off what is finer.

    Rounded up, a cap of $0.1199999 would let a video of $0.12 through.

    Raises:
        ValueError: as :func:`to_micros`.
    """
    return _whole(usd, ROUND_FLOOR)


def _whole(usd: Decimal | str | int, rounding: str) -> Micros:
    if isinstance(usd, float):
        raise TypeError("money is never a float")
    try:
        amount = Decimal(usd)
    except InvalidOperation:
        raise ValueError(f"not an amount of money: {str(usd)[:40]!r}") from None
    if not amount.is_finite() or not 0 <= amount <= LARGEST_USD:
        raise ValueError(f"not an amount of money: {str(usd)[:40]!r}")
    return Micros(int((amount * MICROS_PER_USD).to_integral_value(rounding=rounding)))


def to_usd(micros: int) -> Decimal:
    """Turn micros into dollars, exactly."""
    return Decimal(micros) / MICROS_PER_USD


def usd_text(micros: int) -> str:
    """Write micros as plain decimal USD with at least two decimals: ``"0.12"``, ``"1.00"``."""
    sign, rest = ("-", -micros) if micros < 0 else ("", micros)
    whole, fraction = divmod(rest, MICROS_PER_USD)
    return f"{sign}{whole}.{f'{fraction:06d}'.rstrip('0').ljust(2, '0')}"
