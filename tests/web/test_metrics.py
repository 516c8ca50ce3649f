"""``/metrics`` and ``/healthz``, as Prometheus and a supervisor read them."""

import re

import httpx
from prometheus_client.parser import text_string_to_metric_families
from support.site import Folder, Site, serving


def told(http: httpx.Client) -> dict[tuple[str, ...], float]:
    """Read the metrics with Prometheus' own parser."""
    answer = http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_the_counts_are_those_of_the_books(http: httpx.Client, site: Site) -> None:
    """Jobs, failures, money and files of each batch; whether a run goes on."""
    found = told(http)
    assert found["batchsora_jobs", "prompts", "completed"] == 5
    assert found["batchsora_jobs", "prompts", "failed"] == 1
    assert found["batchsora_jobs", "prompts", "queued"] == 0
    assert found["batchsora_failed_jobs", "prompts", "content"] == 1
    assert found["batchsora_usd", "prompts", "cap"] == 5
    assert found["batchsora_usd", "prompts", "charged"] >= 0.6
    assert found["batchsora_files_missing", "prompts"] == 0
    assert found["batchsora_balance_usd",] > 0
    assert found["batchsora_runner_alive",] == 0
    assert site.folder.call("retry", "storm", "--yes") == 0
    assert told(http)["batchsora_jobs", "prompts", "queued"] == 1


def test_health_says_little_to_anybody(world: Folder) -> None:
    """It needs no password, and tells strangers that it is up, no more; the metrics do need it."""
    with serving(world, "a-password-of-the-tests") as site, httpx.Client(base_url=site.url) as http:
        answer = http.get("/healthz")
        assert answer.status_code == 200
        assert answer.json() == {"status": "ok"}
        assert http.get("/metrics").status_code == 401
        programs = {"Authorization": "Bearer a-password-of-the-tests"}
        known = http.get("/healthz", headers=programs).json()
        assert known == {"status": "ok", "database": True, "runner": False}
        assert re.search("batchsora_jobs", http.get("/metrics", headers=programs).text)
