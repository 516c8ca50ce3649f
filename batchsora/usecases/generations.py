"""The account's generations, as the API lists them, and their rows."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from batchsora.composition.databases import existing_store
from batchsora.composition.session import TIMEOUT, endpoint
from batchsora.providers.registry import runblob_client
from batchsora.providers.runblob.models import GenerationInfo
from batchsora.settings import Settings
from jobs.model.errors import EngineError
from jobs.ports.seen import GenerationOwner


def read(
    settings: Settings, generation_id: str | None, limit: int, offset: int
) -> list[GenerationInfo]:
    """Read one generation of the account, or a page of them, newest first.

    Raises:
        batchsora.providers.runblob.errors.RunBlobError: the API refused, or did not answer.
        ValueError: not a valid id.
    """
    with endpoint(settings) as place:

        async def main() -> list[GenerationInfo]:
            async with runblob_client(place.token, place.base_url, TIMEOUT) as client:
                if generation_id is not None:
                    return [await client.status(generation_id)]
                return await client.list_generations(limit, offset)

        return asyncio.run(main())


def rows_of(settings: Settings, found: Iterable[GenerationInfo]) -> dict[str, GenerationOwner]:
    """Find the rows of generations; none without a database."""
    ids = [one.generation_id for one in found if one.generation_id is not None]
    if not settings.database.exists():
        return {}
    try:
        with existing_store(settings.database) as store:
            return store.queries.owners(ids)
    except EngineError:  # of another version, or no database of ours: the list stands without it
        return {}


def as_json(one: GenerationInfo, rows: Mapping[str, GenerationOwner]) -> dict[str, Any]:
    """Return a generation with every field that the API gave, and its row."""
    row = rows.get(one.generation_id or "")
    mine = {
        "job": None if row is None else row.key,
        "batch": None if row is None else row.batch,
    }
    return one.model_dump(mode="json") | mine


def page_text(
    found: Sequence[GenerationInfo], rows: Mapping[str, GenerationOwner], width: int
) -> str:
    """Return a page: for each its id, status, time and row, and its prompt below."""
    lines = []
    for one in found:
        row = rows.get(one.generation_id or "")
        when = "" if one.created_at is None else f"{one.created_at:%m-%d %H:%M} UTC  "
        whose = "no row" if row is None else row.key
        lines.append(f"{one.generation_id}  {one.status or '?':10}  {when}{whose}")
        prompt = " ".join((one.prompt or "").split())
        lines.append("  " + (prompt if len(prompt) < width - 2 else prompt[: width - 3] + "…"))
    return "\n".join(lines) or "the account has none here"


def one_text(one: GenerationInfo, rows: Mapping[str, GenerationOwner]) -> str:
    """Return all that is known of a generation."""
    shown = {name: value for name, value in as_json(one, rows).items() if value is not None}
    return "\n".join(f"{name:22} {value}" for name, value in shown.items())
