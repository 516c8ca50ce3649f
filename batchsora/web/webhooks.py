"""Callbacks of the provider: hints to look at a generation now, and nothing more.

Whoever knows the address can lie, so nothing of a callback is believed. It brings forward a poll
that would come anyway (``look_sooner`` of :mod:`jobs.ports.control`), and the poller keeps its
interval however often it is told. One that comes to the own address of an attempt whose answer was
lost says which generation to look at (``name_generations``). The answer is sent before the database
is written.
"""

import asyncio
import hashlib
import hmac
import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Final

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from batchsora.composition.callbacks import attempt_in, own_address
from batchsora.presentation.errors import message
from batchsora.providers.registry import FAMILIES
from batchsora.web.answers import web_context_of
from batchsora.web.web_context import WebContext
from jobs.model.errors import EngineError
from jobs.model.families import Kind, named_id
from jobs.model.money import to_usd
from jobs.model.text import folded_id
from jobs.runtime.pace import Pacer
from jobs.store import Store

log = logging.getLogger(__name__)

LARGEST: Final = 64 * 1024  # bytes of a callback: a prompt of 4,000 escaped characters is 24 KB
PATIENCE: Final = 10.0  # seconds for a callback's body to come
RATE: Final = 200.0  # callbacks read in a second; a refused one is sent again (docs/api.md)
MOST: Final = 10_000  # hints that wait for the database; polling finds what comes beyond
SIGNATURE: Final = "x-runblob-signature"
_ID: Final = re.compile(r"[!-~]{1,200}")


class Webhooks:
    """Takes callbacks on one secret path, and counts them: ``taken``, ``needless``, ``refused``."""

    def __init__(
        self,
        web: WebContext,  # whose attempts are polled sooner
        path: str,  # the only one that is answered
        secret: str | None = None,  # signs callbacks; None takes those without a signature too
        patience: float = PATIENCE,  # seconds for a body to arrive
        rate: float = RATE,  # callbacks a second
    ) -> None:
        self.path = path
        self.counts: Counter[str] = Counter(taken=0, needless=0, refused=0)
        self._web = web
        self._secret = None if secret is None else secret.encode()
        self._patience = patience
        self._pacer = Pacer(rate, web.clock)
        self._hinted: set[str] = set()
        self._named: dict[int, str] = {}
        self._more = asyncio.Event()

    def route(self) -> Route:
        """Return the route; it takes every path beside ours, so that they look the same."""
        return Route("/hooks/{rest:path}", self._answer, methods=["POST"])

    async def run(self) -> None:
        """Pass hints on to the database, several in one transaction, until cancelled."""
        while True:
            await self._more.wait()
            self._more.clear()
            names, self._hinted = sorted(self._hinted), set()
            named, self._named = self._named, {}
            try:
                await self._web.with_store(partial(_keep, names, named))
            except EngineError as error:
                lost = len(names) + len(named)
                log.warning("%d callbacks were lost; polling continues: %s", lost, message(error))

    async def _answer(self, request: Request) -> Response:
        status = await self._status(request)
        if status == HTTPStatus.NO_CONTENT:
            return Response(status_code=status)
        self.counts["refused"] += 1
        return PlainTextResponse(WHY[status] + "\n", status, MORE.get(status))

    async def _status(self, request: Request) -> HTTPStatus:
        path = request.url.path
        attempt_id = attempt_in(path, self.path)
        ours = path if attempt_id is None else path[: len(self.path)]
        if not hmac.compare_digest(ours.encode(), self.path.encode()):
            return HTTPStatus.NOT_FOUND
        if self._pacer.available() < 1:
            return HTTPStatus.TOO_MANY_REQUESTS
        self._pacer.take(1)
        try:
            async with asyncio.timeout(self._patience):
                body = await request.body()
        except TimeoutError:
            return HTTPStatus.REQUEST_TIMEOUT
        if not self._is_signed(body, request.headers.get(SIGNATURE, "")):
            return HTTPStatus.UNAUTHORIZED
        name = _generation_id(body)
        if name is None:
            return HTTPStatus.BAD_REQUEST
        self._take(name, attempt_id, path)
        return HTTPStatus.NO_CONTENT

    def _is_signed(self, body: bytes, signature: str) -> bool:
        if self._secret is None:
            return True
        expected = hmac.new(self._secret, body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected.encode(), signature.strip().lower().encode())

    def _take(self, name: str, attempt_id: int | None, path: str) -> None:
        awaited = ""
        try:
            if attempt_id is not None and self._names(name, attempt_id, path):
                return
            # which family it is of, the callback does not say
            names = (named_id(family, name) for family in FAMILIES)
            awaited = next((one for one in names if self._web.queries.is_awaited(one)), "")
        except EngineError as error:  # the page itself says more about it
            log.warning("a callback was lost; polling continues: %s", message(error))
        if not awaited or awaited in self._hinted or len(self._hinted) >= MOST:
            self.counts["needless"] += 1
            return
        self.counts["taken"] += 1
        self._hinted.add(awaited)
        self._more.set()

    def _names(self, name: str, attempt_id: int, path: str) -> bool:
        """Take in which generation an attempt without an answer is, if the path is its own."""
        found = self._web.queries.unanswered(attempt_id)
        if found is None or len(self._named) >= MOST:
            return False
        own = own_address(self.path, attempt_id, found.idempotency_key)
        if not hmac.compare_digest(path.encode(), own.encode()):
            return False
        self.counts["taken"] += 1
        self._named[attempt_id] = named_id(Kind.parse(found.kind).family, name)
        self._more.set()
        return True


def _keep(generation_ids: Sequence[str], named: Mapping[int, str], store: Store) -> None:
    store.control.look_sooner(generation_ids)
    store.control.name_generations(named)


MORE: Final = {
    HTTPStatus.REQUEST_TIMEOUT: {"Connection": "close"},
    HTTPStatus.TOO_MANY_REQUESTS: {"Retry-After": "30"},
}
WHY: Final = {
    HTTPStatus.BAD_REQUEST: "Not a valid callback: a JSON object with a generation_id.",
    HTTPStatus.UNAUTHORIZED: "The signature is invalid or missing.",
    HTTPStatus.NOT_FOUND: "Not Found",
    HTTPStatus.REQUEST_TIMEOUT: "The request was incomplete.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many at once: send it again later.",
}


def _generation_id(body: bytes) -> str | None:
    """Return whose end is announced; None when that can't be a generation."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    name = told.get("generation_id") if isinstance(told, dict) else None
    return folded_id(name) if isinstance(name, str) and _ID.fullmatch(name) else None


MOST_BATCHES: Final = 100  # batches with labels: these must not grow without limit


class Counts(Collector):
    """What a scrape gets."""

    def __init__(self, web: WebContext, webhooks: Webhooks | None) -> None:
        self._web = web
        self._webhooks = webhooks

    def collect(self) -> Iterable[Metric]:
        """Read the kept counts."""
        with self._web.queries.snapshot() as seen:
            batches = [seen.status(batch) for batch in seen.batches()[-MOST_BATCHES:]]
            balance = seen.account().balance_micros
        jobs = GaugeMetricFamily("batchsora_jobs", "Jobs by state.", labels=["batch", "state"])
        failed = GaugeMetricFamily(
            "batchsora_failed_jobs", "Failed jobs by kind.", labels=["batch", "kind"]
        )
        money = GaugeMetricFamily(
            "batchsora_usd",
            "USD charged, refunded, reserved and allowed.",
            labels=["batch", "what"],
        )
        files = GaugeMetricFamily(
            "batchsora_files_missing", "Completed jobs whose file is missing.", labels=["batch"]
        )
        for batch in batches:
            for state, count in batch.jobs.items():
                jobs.add_metric([batch.name, state], count)
            for kind, count in batch.failed_kinds.items():
                failed.add_metric([batch.name, kind], count)
            sums = batch.money
            amounts = {"charged": sums.charged, "refunded": sums.refunded, "held": sums.held}
            if sums.cap is not None:
                amounts["cap"] = sums.cap
            for what, micros in amounts.items():
                money.add_metric([batch.name, what], float(to_usd(micros)))
            files.add_metric([batch.name], batch.files_missing)
        yield from (jobs, failed, money, files)
        if balance is not None:
            yield GaugeMetricFamily(
                "batchsora_balance_usd",
                "Last known balance of the account.",
                float(to_usd(balance)),
            )
        yield GaugeMetricFamily(
            "batchsora_runner_alive",
            "Whether a run is active.",
            int(self._web.runner() is not None),
        )
        if self._webhooks is not None:
            calls = CounterMetricFamily(
                "batchsora_callbacks", "Callbacks since the page began.", labels=["what"]
            )
            for what, count in self._webhooks.counts.items():
                calls.add_metric([what], count)
            yield calls


async def _metrics(request: Request) -> Response:
    registry = CollectorRegistry()
    registry.register(Counts(web_context_of(request), request.app.state.webhooks))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


async def _health(request: Request) -> Response:
    web, status, more = web_context_of(request), "ok", {}
    try:
        web.queries.account()
        more = {"database": True, "runner": web.runner() is not None}
    except EngineError:
        status, more = "down", {"database": False}
    known = more if request.scope["inside"] else {}
    return JSONResponse({"status": status, **known}, 200 if status == "ok" else 503)


watched = [Route("/healthz", _health), Route("/metrics", _metrics)]
