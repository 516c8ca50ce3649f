"""Going on with a batch: after its cap was raised, or where nothing works on it."""

from decimal import Decimal
from typing import Any

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from batchsora.app import wording
from batchsora.app.loading import Caps, set_caps
from batchsora.manifest.errors import CellError
from batchsora.web.answers import batch_of, desk_of, done
from batchsora.web.desk import Desk
from batchsora.web.rendering import render
from batchsora.web.starting import in_words, money, started_run
from batchsora.web.uploads import received
from jobs.store import accounts, steering, views


async def _ask_run(request: Request) -> Response:
    return _ask_cap(request, "", {})


async def _go_on(request: Request) -> Response:
    """Go on with a batch, under its cap or a new one."""
    desk, batch = desk_of(request), batch_of(request)
    async with received(request, desk.manifest_folder) as form:
        text = form.text("budget")
    try:
        budget = money(text)
    except CellError as error:
        return _ask_cap(request, text, {"budget": in_words(error)})
    queued, _, kept = desk.read(lambda c: _left(c, batch))
    if queued and kept is None and budget is None:
        return _ask_cap(request, text, {"budget": "It has no cap. Give one."})
    there = f"/batches/{batch.id}"
    if desk.goes_on():
        notes = await desk.write(lambda c: _serve(c, batch.id, budget, desk))
        return done("; ".join([*notes, "the run that is going on takes it up"]), go=there)
    if any(one.code is None for one in desk.launcher.about(batch.name)):
        return done("It goes on already.", go=there)
    command = ["run", f"--batch={batch.name}", "--yes", "--wait-for-runner"]
    command += [f"--download={desk.download.absolute()}"]
    command += [] if budget is None else [f"--budget={budget}"]
    started_run(desk, command, batch.name)
    return done(f"{batch.name} goes on.", go=there)


def _serve(connection: Connection, batch_id: int, budget: Decimal | None, desk: Desk) -> list[str]:
    notes = set_caps(connection, batch_id, Caps(batch=budget), None, desk.clock.now())
    steering.serve(connection, [batch_id])
    return notes


def _left(connection: Connection, batch: Any) -> tuple[int, str, int | None]:
    """Say how many jobs of a batch are left to buy, for how much, and what its cap is."""
    known = accounts.known_prices(connection)
    kinds = views.queued_by_kind(connection, batch.id)
    cost = sum(known[kind].last_micros * count for kind, count in kinds.items() if kind in known)
    unpriced = sum(count for kind, count in kinds.items() if kind not in known)
    cap = views.batch_status(connection, batch).money.cap
    return sum(kinds.values()), wording.cost_text(cost, unpriced), cap


def _ask_cap(request: Request, budget: str, problems: dict[str, str]) -> Response:
    """Ask under which cap a batch goes on, in the dialog, whoever asked."""
    desk, batch = desk_of(request), batch_of(request)
    queued, cost, _ = desk.read(lambda c: _left(c, batch))
    return render(
        request,
        "_plan_go_on.html",
        status_code=422 if problems else 200,
        headers={"HX-Retarget": "#ask", "HX-Reswap": "innerHTML"},
        batch=batch,
        budget=budget,
        problems=problems,
        first=next(iter(problems), None),
        queued=queued,
        cost=cost,
        money=desk.read(lambda c: views.batch_status(c, batch)).money,
    )


routes = [
    Route("/batches/{batch:int}/run", _ask_run),
    Route("/batches/{batch:int}/run", _go_on, methods=["POST"]),
]
