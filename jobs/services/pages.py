"""Which pages of the account's list show the generations that are to be looked at. Pure.

The list is newest first, and a page may begin anywhere. How many of our generations are newer than
one tells where it stands; what other clients of the account make pushes it down.
"""

from collections.abc import Mapping

LIST_FROM = 3
"""From so many generations on that a page would show, it is read instead of single ones."""


def next_page(
    places: Mapping[str, int], limit: int, unsure: int = 0, fewest: int = LIST_FROM
) -> tuple[int | None, list[str]]:
    """Return where the page begins that shows the newest of some generations, and which those are.

    Args:
        places: where in the list each generation is expected, from 0.
        limit: generations on a page.
        unsure: submissions under way, which may have pushed all of them down already.
        fewest: how many it must be worth reading for.

    Returns:
        The page's offset, None when it would show too few; and the ids that it would show.
    """
    # the list moves while it is read, and was not made in quite the order of our intents
    margin = limit // 20
    begin = max(0, min(places.values()) - margin)
    end = begin + limit - margin - min(unsure, limit // 2)
    members = [name for name, place in places.items() if place < end]
    return (begin if len(members) >= fewest else None), members
