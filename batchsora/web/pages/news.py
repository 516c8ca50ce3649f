"""What open pages tell a person who looks elsewhere: a run's end, and what needs them; progress."""

from collections.abc import Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from batchsora.presentation.event_words import event_words
from batchsora.presentation.terminal_text import clean
from batchsora.web.answers import web_context_of
from batchsora.web.pages.batches import number_of
from jobs.model.states import Blocked
from jobs.ports.events import BatchEvent, Event, JobEvent, JobFact, RunEvent, RunFact

MOST: Final = 500  # events that are read at a time; a page asks again
OWN_PACE: Final = frozenset({Blocked.PAUSED, Blocked.LEARNING, Blocked.TWIN})
"""What a batch waits for by itself, or because a person wants it."""


async def _news(request: Request) -> Response:
    web = web_context_of(request)
    after = number_of(request.query_params, "after")

    def look() -> dict[str, Any]:
        events = web.store().events
        newest = events.newest()
        if after is None or after > newest:  # a new page, or another database
            return {"newest": newest, "news": []}
        found = events.since(after, MOST)
        return {"newest": found[-1].number if found else newest, "news": news_of(found)}

    def progress() -> dict[int, tuple[int, int]]:
        if web.runner() is None:
            return {}
        statuses = web.queries.statuses()
        return {one.id: (one.total - one.left, one.total) for one in statuses if one.active}

    found = web.kept(("news", after), look)
    return JSONResponse(found | {"progress": web.kept("progress", progress)})


def news_of(events: Sequence[Event]) -> list[dict[str, str]]:
    """Return what a person wants to hear of: its words, where to look, and what it replaces.

    Unconfirmed rows of a batch are one piece of news, however many there are.
    """
    news: dict[str, dict[str, str]] = {}
    unconfirmed: dict[int, int] = {}
    for event in events:
        match event:
            case JobEvent(fact=JobFact.UNCONFIRMED, batch_id=batch, job_id=job):
                unconfirmed[batch] = count = unconfirmed.get(batch, 0) + 1
                where = f"/batches/{batch}/jobs?state=in_doubt" if count > 1 else f"/jobs/{job}"
                words = f"{event.batch}: {count} rows are unconfirmed"
                news[f"unconfirmed-{batch}"] = _one(
                    words if count > 1 else event_words(event), where
                )
            case BatchEvent(batch_id=batch) if not event.blocked or event.blocked - OWN_PACE:
                news[f"waits-{batch}"] = _one(event_words(event), f"/batches/{batch}")
            case RunEvent(fact=RunFact.ENDED | RunFact.CUT_OFF):
                news["run"] = _one(event_words(event), "/")
            case _:
                pass
    return [{"tag": tag, **one} for tag, one in news.items()]


def _one(words: str, where: str) -> dict[str, str]:
    text = clean(words)
    return {"text": text[:1].upper() + text[1:], "where": where}


routes = [Route("/news", _news)]
