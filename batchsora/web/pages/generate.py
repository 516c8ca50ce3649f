"""Generating one video from a form: the command ``generate``, in a process that outlives the page.

It keeps every rule that it keeps in a terminal: the row and its hold before the POST, the caps, one
runner. The page follows its row.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from batchsora.manifest import values
from batchsora.manifest.errors import CellError
from batchsora.providers.runblob.errors import ImageError
from batchsora.providers.runblob.images import LARGEST, opened
from batchsora.usecases.generate import read_wish
from batchsora.usecases.load import ADHOC
from batchsora.web.answers import IN_DIALOG, asked, moved, render, usd, web_context_of
from batchsora.web.uploads import Form, Upload, keep, received
from batchsora.web.web_context import Started, WebContext
from jobs.model.errors import NotFoundError
from jobs.model.ledger import batch_key
from jobs.model.spec import JobSpec
from jobs.model.states import JobState
from jobs.ports.queries import QueryStore
from jobs.ports.selection import Filter
from jobs.runtime.run_context import PRICE_CEILING

FIELDS: Final = ("orientation", "duration", "image", "campaign")  # options of the command
LATEST: Final = 8
LONGEST_SHOWN: Final = 300  # characters of a prompt in the question
MOST_SENT: Final = 500  # forms that were sent and are remembered, to be followed


@dataclass(frozen=True, slots=True)
class Sent:
    """A form that was sent."""

    started: Started  # the process that buys it
    after: int  # the highest number of a job before
    prompt: str  # as it was understood


class FormError(Exception):
    """A field (``name``) can't be used."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


def prices(seen: QueryStore) -> dict[str, str]:
    """Return what each kind costs for people, by its variant."""
    known = seen.prices()
    found = {}
    for kind in values.MODEL.kinds:
        price = known.get(kind.key)
        found[kind.variant] = (
            f"not known yet: up to {usd(PRICE_CEILING)} is reserved until the API shows it"
            if price is None
            else f"{usd(price.last_micros)} ({price.source})"
        )
    return found


def _beside(queries: QueryStore) -> dict[str, Any]:
    """Return what is shown beside the form: prices, the cap, the latest videos."""
    with queries.snapshot() as seen:
        try:
            (batch,) = seen.batches(ADHOC)
        except NotFoundError:
            return {"prices": prices(seen), "money": None, "latest": []}
        latest = seen.page(batch.id, Filter(), LATEST, before=2**62)
        return {
            "prices": prices(seen),
            "money": seen.status(batch).money,
            "latest": list(reversed(latest.jobs)),
        }


async def _form(request: Request) -> Response:
    return _shown(request, {})


def _shown(request: Request, given: Mapping[str, str], error: FormError | None = None) -> Response:
    web = web_context_of(request)
    return render(
        request,
        "generate.html" if error is None else "_generate_form.html",
        status_code=200 if error is None else 422,
        headers=None if error is None else {"HX-Retarget": "#generate", "HX-Reswap": "outerHTML"},
        once=web.form_tokens.token(),
        given=given,
        error=error,
        model=values.MODEL,
        runner=web.runner(),
        **_beside(web.queries),
    )


async def _ask(request: Request) -> Response:
    """Ask once, with the price, before the video is bought."""
    web = web_context_of(request)
    async with received(request, web.folder / "uploads", {"picture": LARGEST}) as form:
        if (address := web.form_tokens.came(form.text("once"))) is not None:
            return Response(status_code=204, headers={"HX-Redirect": address})
        try:
            words, prompt = _words(form, _cap(web.queries))
        except FormError as error:
            return _shown(request, form.fields, error)
    duration = form.text("duration") or str(values.MODEL.durations[0])
    price = prices(web.queries)[f"{duration}+image" if "--image" in words else duration]
    lines = [f"Price: {price}.", prompt[:LONGEST_SHOWN] + "…" * (len(prompt) > LONGEST_SHOWN)]
    money = _beside(web.queries)["money"]
    if form.text("budget").strip():
        lines.append(f"The budget of all single videos becomes {form.text('budget').strip()} USD.")
    elif money is not None and money.cap is not None:
        lines.append(f"The budget of {usd(money.cap)} leaves {usd(money.free)}.")
    answer = asked(
        request,
        f"Buy this video for {price.split()[0]}?" if price[0] == "$" else "Buy this video?",
        lines,
        "Buy this video",
        action="/generate",
        include="#generate",
    )
    answer.headers.update(IN_DIALOG)
    return answer


async def _send(request: Request) -> Response:
    web = web_context_of(request)
    async with received(request, web.folder / "uploads", {"picture": LARGEST}) as form:
        token = form.text("once")
        if not web.form_tokens.knows(token):
            error = FormError("prompt", "the server was restarted; send the form again")
            return _shown(request, form.fields, error)
        try:
            words, prompt = _words(form, _cap(web.queries))
        except FormError as error:
            return _shown(request, form.fields, error)
    # asked only now: a second click may have come while the picture was read
    if (address := web.form_tokens.came(token)) is None:
        sent = _start(web, words, prompt)
        address = f"/generate/{sent.started.id}"
        known: dict[str, Sent] = request.app.state.sent
        known[sent.started.id] = sent
        if len(known) > MOST_SENT:
            del known[next(iter(known))]
        web.form_tokens.used(token, address)
    return Response(status_code=204, headers={"HX-Redirect": address})


UNCAPPED: Final = "Set a budget; no single video is bought above it."


def _cap(queries: QueryStore) -> int | None:
    """Return the budget of single videos; None where there is none."""
    with queries.snapshot() as seen:
        try:
            (batch,) = seen.batches(ADHOC)
        except NotFoundError:
            return None
        return seen.cap(batch_key(batch.id))


def _start(web: WebContext, words: list[str], prompt: str) -> Sent:
    newest = web.queries.newest_number()
    command = ["generate", "--json", "--wait", "--download", str(web.download.absolute()), *words]
    return Sent(web.launcher.start([*command, "--", prompt], "generate", ADHOC), newest, prompt)


def _words(form: Form, cap: int | None) -> tuple[list[str], str]:
    """Return the options of the command and the prompt, or raise a :class:`FormError`."""
    options = {name: text for name in FIELDS if (text := form.text(name).strip())}
    picture = _picture(form.files.get("picture"))
    if picture is not None:
        if "image" in options:
            raise FormError("image_url", "use a picture or an address, not both")
        options["image"] = str(picture)
    elif "image" in options and not options["image"].lower().startswith(("http:", "https:")):
        raise FormError("image_url", "not a valid web address; it starts with https://")
    read = read_wish(form.text("prompt"), options)
    if not isinstance(read, JobSpec):
        names = {"image": "image_url" if picture is None else "picture"}
        column = read[0].column or "prompt"
        raise FormError(names.get(column, column), f"{read[0].problem}. {read[0].remedy}")
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    if budget := form.text("budget").strip().removeprefix("$"):
        try:
            words += ["--budget", str(values.money(budget))]
        except CellError as error:
            raise FormError("budget", f"{error.problem}. {error.remedy}") from error
    elif cap is None:
        raise FormError("budget", UNCAPPED)
    if form.text("again") == "yes":
        words.append("--again")
    return words, read.request.prompt


def _picture(upload: Upload | None) -> Path | None:
    """Keep the picture that was sent along; raise a :class:`FormError` if the API would not."""
    if upload is None:
        return None
    if not upload.whole:
        raise FormError("picture", f"it is larger than {LARGEST // 1024**2} MB")
    try:
        with opened(upload.path.read_bytes()) as found:
            kind = "jpg" if isinstance(found, str) else found.media_type.rpartition("/")[2]
    except ImageError as error:
        raise FormError("picture", str(error)) from error
    return keep(upload, upload.path.with_name(f"{upload.sha256}.{kind}"))


async def _follow(request: Request) -> Response:
    """Follow a form that was sent; go to its row once that is more than queued."""
    name, web = request.path_params["started"], web_context_of(request)
    sent: Sent | None = request.app.state.sent.get(name)
    if sent is None:
        return Response(status_code=303, headers={"Location": "/generate"})
    job = web.queries.found_after(ADHOC, sent.after, sent.prompt)
    ended = sent.started.code is not None
    unbought = job is None or job.state in (JobState.QUEUED, JobState.CANCELLED)
    if job is not None and not unbought:
        return moved(request, f"/jobs/{job.id}")
    return render(
        request,
        "_generate_started.html" if "part" in request.query_params else "generate_started.html",
        sent=sent,
        job=job,
        ended=ended,
    )


routes = [
    Route("/generate", _form),
    Route("/generate", _send, methods=["POST"]),
    Route("/generate/ask", _ask, methods=["POST"]),
    Route("/generate/{started}", _follow),
]
