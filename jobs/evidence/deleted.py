"""What was deleted at the provider: a list need not show it any more."""

import asyncio
from collections.abc import Sequence
from typing import Final

from ..model.provider import Provider, ProviderError, UnknownGenerationError
from .sight import Bought

TOGETHER: Final = 8
"""Single looks at the same time."""


async def deleted_of(
    provider: Provider, lacking: Sequence[Bought], shown: str | None
) -> frozenset[str]:
    """Ask for what a list lacks by its ids: a person may delete it, and a provider what is old.

    Args:
        provider: which is asked, until it knows one of them.
        lacking: generations of ours that the list may lack because they were deleted.
        shown: one that the list shows; None where it shows none.

    Returns:
        The ids of all of them, where the provider knows none, and knows the one that is shown.
    """
    if not lacking or (shown is not None and await _exists(provider, shown) is not True):
        return frozenset()
    for start in range(0, len(lacking), TOGETHER):
        some = lacking[start : start + TOGETHER]
        found = await asyncio.gather(*(_exists(provider, one.generation_id) for one in some))
        if any(exists is not False for exists in found):
            return frozenset()
    return frozenset(one.generation_id for one in lacking)


async def _exists(provider: Provider, generation_id: str) -> bool | None:
    """Ask whether the provider knows a generation; None where it does not tell."""
    try:
        await provider.generation(generation_id)
    except UnknownGenerationError:
        return False
    except ProviderError:
        return None
    return True
