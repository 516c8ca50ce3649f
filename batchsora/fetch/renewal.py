"""A fresh address of a file whose own has expired: the API is asked, in two ways."""

from typing import Final

from jobs.model.provider import Provider, ProviderError, ThrottledError

PAGES: Final = 3
"""Pages of the account's list that are read for one address: its newest generations."""


async def fresh_address(provider: Provider, generation_id: str) -> str | None:
    """Ask where a file is now: its generation, or else the list, where one does not answer.

    Returns:
        None when the API names no address.

    Raises:
        ProviderError: the generation can't be read, and the list does not have it.
    """
    try:
        found = await provider.generation(generation_id)
    except ThrottledError:
        raise  # what asks us to slow down is not asked more
    except ProviderError:
        listed = await _listed(provider, generation_id)
        if listed is None:
            raise
        return listed
    return found.video_url or await _listed(provider, generation_id)


async def _listed(provider: Provider, generation_id: str) -> str | None:
    """Look for an address in the newest pages of the list; None when it is not there."""
    offset = 0
    for _ in range(PAGES):
        try:
            page = await provider.generations(provider.list_limit, offset)
        except ProviderError:
            return None
        for entry in page:
            if entry.id == generation_id and entry.video_url:
                return entry.video_url
        if not page:
            return None
        offset += len(page)
    return None
