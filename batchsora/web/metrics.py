"""For whoever watches over it: ``/healthz``, and ``/metrics`` in Prometheus' text format.

Both come from counts that are kept: a scrape reads no table of jobs.
"""

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from batchsora.web.answers import web_context_of
from batchsora.web.web_context import WebContext
from batchsora.web.webhooks import Webhooks
from jobs.model.errors import EngineError
from jobs.model.money import to_usd

MOST: Final = 100
"""Batches that are told apart, the newest: each is a label, and those must not grow for ever."""


class Counts(Collector):
    """What is told at each scrape.

    Args:
        web: whose database it is.
        webhooks: whose callbacks are counted, where they are taken.
    """

    def __init__(self, web: WebContext, webhooks: Webhooks | None) -> None:
        self._web = web
        self._webhooks = webhooks

    def collect(self) -> Iterable[Metric]:
        """Read the kept counts."""
        with self._web.queries.snapshot() as seen:
            batches = [seen.status(batch) for batch in seen.batches()[-MOST:]]
            balance = seen.account().balance_micros
        jobs = GaugeMetricFamily("batchsora_jobs", "Jobs by state.", labels=["batch", "state"])
        failed = GaugeMetricFamily(
            "batchsora_failed_jobs", "Failed jobs by kind.", labels=["batch", "kind"]
        )
        money = GaugeMetricFamily(
            "batchsora_usd", "USD charged, reserved and allowed.", labels=["batch", "what"]
        )
        files = GaugeMetricFamily(
            "batchsora_files_missing", "Completed jobs whose file is missing.", labels=["batch"]
        )
        for batch in batches:
            for state, count in batch.jobs.items():
                jobs.add_metric([batch.name, state], count)
            for kind, count in batch.failed_kinds.items():
                failed.add_metric([batch.name, kind], count)
            amounts = {"charged": batch.money.charged, "held": batch.money.held}
            if batch.money.cap is not None:
                amounts["cap"] = batch.money.cap
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


routes = [Route("/healthz", _health), Route("/metrics", _metrics)]
