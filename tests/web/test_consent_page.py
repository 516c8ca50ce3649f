"""The page's buttons buy what they said, row by row, also beside a run that is alive."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from support.site import Site, soon

from jobs.model.clock import SystemClock
from jobs.ports.seen import BatchStatus
from jobs.store import views

QUICK = ("--rate", "0", "--poll-interval", "0.05", "--retries", "0", "--no-download", "--quiet")


@pytest.fixture
def trial(site: Site, request: pytest.FixtureRequest) -> BatchStatus:
    """A batch of six rows of which the first was tried, and failed."""
    name = request.node.name
    rows = [f"r{n},{name} {n}" for n in range(6)]
    (site.folder.path / "trial.csv").write_text("\n".join(["id,prompt", *rows]))
    site.folder.api.world.failures[f"{name} 0"] = ["internal error"]
    assert site.folder.call("run", "trial.csv", "--yes", "--first", "1", *QUICK) == 3
    return batch_named(site, "trial")


def batch_named(site: Site, name: str) -> BatchStatus:
    """Sum a batch up."""
    return site.read(lambda c: views.batch_status(c, *views.find_batches(c, name)))


def bought(site: Site) -> Counter[str]:
    """Count what was bought of the trial, by row."""
    found = [prompt.rpartition(" ") for prompt in site.folder.bought()]
    return Counter(f"r{row}" for name, _, row in found if row.isdecimal() and "long" not in name)


@contextmanager
def living(site: Site, request: pytest.FixtureRequest) -> Iterator[None]:
    """Have a run of another batch alive until the block is left; then it ends by itself."""
    world, prompt = site.folder.api.world, f"a long night of {request.node.name}"
    (site.folder.path / "long.csv").write_text(f"id,prompt\nlong,{prompt}\n")
    path = str(site.folder.path / "long.csv")
    run = site.web.launcher.start(["run", path, "--budget", "9", *QUICK], "run", "long")
    assert soon(lambda: any(item.prompt == prompt for item in world.made)), run.said()
    (made,) = (item for item in world.made if item.prompt == prompt)
    made.takes = 10.0**6
    try:
        yield
    finally:
        made.takes = 0.1
    assert run.process.wait(60) in (0, 3), run.said()  # 3: the trial's first row failed


def dialog_action(text: str) -> str:
    """Read from a dialog where its button posts to."""
    found = re.search(r'hx-post="([^"]+)"', text)
    assert found is not None, text
    return found[1].replace("&amp;", "&")


def shown_of(text: str) -> str:
    """Read from the dialog of 'Go on' which jobs it was made for."""
    found = re.search(r'name="shown" value="(\w+)"', text)
    assert found is not None, text
    return found[1]


def test_retry_buys_what_its_dialog_named(
    http: httpx.Client, site: Site, trial: BatchStatus, request: pytest.FixtureRequest
) -> None:
    """Not what was left out, and nothing at all once other jobs failed meanwhile."""
    with living(site, request):
        asked = http.get(f"/batches/{trial.id}/retry").text
        assert "1 job(s) would be bought again for about $0.12" in asked
        action = dialog_action(asked)
        stale = re.sub("shown=\\w+", "shown=0123", action)
        refused = http.post(stale)
        assert (refused.status_code, "have changed" in refused.text) == (409, True)
        assert http.post(action).status_code == 204
    assert bought(site) == {"r0": 2}
    page = http.get(f"/batches/{trial.id}?part=head").text
    assert "5 left out by --first or --sample" in page


def test_go_on_buys_what_its_dialog_named(
    http: httpx.Client, site: Site, trial: BatchStatus, request: pytest.FixtureRequest
) -> None:
    """The rows that were left out, for that is what it says; a row that came since asks again."""
    there = f"/batches/{trial.id}/run"
    with living(site, request):
        asked = http.get(there).text
        assert "5 jobs left to buy, for about $0.60" in asked
        given = {"budget": "9", "shown": shown_of(asked)}
        assert site.folder.call("cancel", "r5", "--yes") == 0
        again = http.post(there, data=given)
        assert again.status_code == 422
        assert "The jobs have changed since" in again.text
        assert "4 jobs left to buy, for about $0.48" in again.text
        given = {"budget": "9", "shown": shown_of(again.text)}
        assert http.post(there, data=given).status_code == 204
    assert bought(site) == {f"r{n}": 1 for n in range(5)}


def test_resume_says_what_it_buys(
    http: httpx.Client, site: Site, trial: BatchStatus, request: pytest.FixtureRequest
) -> None:
    """How many videos, for how much, and what stays held back."""
    assert site.folder.call("pause", "trial") == 0
    assert site.folder.call("retry", "r0", "r3", "--yes") == 0
    with living(site, request):
        asked = http.get(f"/batches/{trial.id}/resume").text
        assert "2 video(s) left to buy, for about $0.24" in asked
        assert "The active run buys them now" in asked
        assert "4 held back (left out by --first or --sample)" in asked
        action = dialog_action(asked)
        assert http.post(re.sub("shown=\\w+", "shown=0123", action)).status_code == 409
        assert batch_named(site, "trial").paused
        assert http.post(action).status_code == 204
    assert bought(site) == {"r0": 2, "r3": 1}


def test_a_row_that_is_held_back_is_bought_from_its_own_page(
    http: httpx.Client, site: Site, trial: BatchStatus, request: pytest.FixtureRequest
) -> None:
    """With the reason and the price beside the button; in the list of jobs the reason stands."""
    job = site.read(lambda c: views.find_job(c, "r4", "trial"))
    page = http.get(f"/jobs/{job.id}").text
    assert "left out by --first or --sample" in page
    assert re.search(r"Buy, about \$0\.12</button>", page)
    assert "held back: left out" in http.get(f"/batches/{trial.id}/jobs").text
    with living(site, request):
        assert http.post(f"/jobs/{job.id}/retry").status_code == 204
    assert bought(site) == {"r0": 1, "r4": 1}


def test_what_is_handed_over_without_a_dialog_is_only_what_was_queued(
    http: httpx.Client, site: Site, trial: BatchStatus, request: pytest.FixtureRequest
) -> None:
    """A second post finds nothing to buy; the batch itself is never given to the run."""
    with living(site, request):
        for _ in range(2):
            given = {"budget": "9"}
            assert http.post(f"/batches/{trial.id}/run", data=given).status_code == 204
        (batch,) = site.read(lambda c: views.find_batches(c, "trial"))
        assert not batch.active
    assert bought(site) == {f"r{n}": 1 for n in range(6)}


def test_go_on_hands_over_nothing_that_the_account_has(
    http: httpx.Client, site: Site, trial: BatchStatus, request: pytest.FixtureRequest
) -> None:
    """It looks before it hands rows over, as a run does before it buys."""
    there = f"/batches/{trial.id}/run"
    with living(site, request):
        site.folder.api.world.add_foreign(f"{request.node.name} 3", SystemClock().now())
        asked = http.get(there).text
        assert "5 jobs left to buy" in asked
        given = {"budget": "9", "shown": shown_of(asked)}
        assert http.post(there, data=given).status_code == 204
    assert bought(site) == {f"r{n}": 1 for n in (0, 1, 2, 4, 5)}
    assert sum(item.foreign for item in site.folder.api.world.made) == 1
    assert batch_named(site, "trial").held_back == {"exists": 1}
