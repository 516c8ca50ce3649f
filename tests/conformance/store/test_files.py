"""Files: which are wanted, where they are, and what was written for a batch."""

import pytest
from support.steps import Steps

from jobs.model.states import FailureKind
from jobs.ports.loading import EXPORTS, RESULTS, LoadReport, WantedFile
from jobs.ports.updates import Failed

DONE = ("added", "updated", "unchanged", "edited", "redone", "busy", "cancelled")


def did(report: LoadReport) -> dict[str, object]:
    """Return what a load did, without what it did not."""
    return {name: getattr(report, name) for name in DONE if getattr(report, name)}


@pytest.fixture
def bought(steps: Steps) -> Steps:
    """A finished row, a failed one, one that is being made, and one that is queued."""
    steps.load("done", "failed", "busy", "queued")
    steps.begin()
    steps.buy("done", "failed", "busy", want=3)
    steps.end("done")
    number = steps.job("failed").attempt_id
    assert number is not None
    steps.end("failed", Failed(number, FailureKind.CONTENT, "no", None))
    return steps


def test_what_was_written_for_a_batch_is_kept(steps: Steps) -> None:
    """Of each that is still there; another source forgets which columns are ours."""
    steps.load("a", reading={"path": "/m/night.csv"})
    keep = steps.store.loading.keep_written
    keep([1, 99], EXPORTS, lambda kept: [*(kept or []), "one.csv"])
    keep([1], EXPORTS, lambda kept: [*(kept or []), "two.csv"])
    keep([1], RESULTS, lambda _: ["status"])
    keep([], RESULTS, lambda _: ["never"])

    def reading() -> object:
        return steps.store.queries.batches()[0].reading

    written = {EXPORTS: ["one.csv", "two.csv"], RESULTS: ["status"]}
    assert reading() == {"path": "/m/night.csv", **written}
    steps.load("a", reading={"path": "/m/night.csv"})
    assert reading() == {"path": "/m/night.csv", **written}
    steps.load("a", name="night", source="/else.csv")
    assert reading() == {EXPORTS: ["one.csv", "two.csv"]}


# -- files


def wanted(steps: Steps, key: str = "done") -> WantedFile:
    """Return the one file that is wanted."""
    (one,) = steps.store.loading.wanted_files([1], 10, keys=[key])
    return one


def test_files_are_wanted_of_completed_rows_in_pages(steps: Steps) -> None:
    steps.load("a", "b", "c")
    steps.begin()
    for key in steps.buy("a", "b", "c"):
        steps.end(key)
    ask = steps.store.loading.wanted_files
    first = ask([1], 2)
    assert [one.key for one in first] == ["a", "b"]
    assert [one.key for one in ask([1], 2, after=first[-1].place)] == ["c"]
    assert [one.key for one in ask([1], 9, keys=["c", "x"])] == ["c"]
    assert ask([], 9) == []
    assert ask([2], 9) == []
    one = first[0]
    assert (one.tries, one.path, one.video_url) == (0, None, steps.job("a").video_url)
    assert steps.status().files_missing == 3


def test_a_file_is_planned_tried_kept_and_forgotten(bought: Steps) -> None:
    """Its job stays completed whatever becomes of it."""
    loading = bought.store.loading
    bought.wait(loading.plan_file(wanted(bought), "videos/done.mp4"))
    bought.wait(loading.record_file_error(wanted(bought), "404"))
    one = wanted(bought)
    assert (one.tries, one.path) == (1, "videos/done.mp4")
    assert bought.job("done").download_error == "404"
    assert loading.file_of(one.attempt_id) is None
    with bought.kind.failing_commit(bought.store):
        bought.wait(loading.record_file(one, "videos/done.mp4", 9, "ab", bought.now))
    assert loading.files_there([1]) == []
    bought.wait(loading.record_file(one, "videos/done.mp4", 9, "ab", bought.now))
    assert loading.wanted_files([1], 9) == []
    (there,) = loading.files_there([1])
    assert (there.path, there.bytes, there.sha256, there.key) == (
        "videos/done.mp4",
        9,
        "ab",
        "done",
    )
    assert loading.file_of(one.attempt_id) == there
    job = bought.job("done")
    assert (job.file, job.sha256, job.download_error) == ("videos/done.mp4", "ab", None)
    loading.forget_files([])
    loading.forget_files([there])
    assert wanted(bought).tries == 2
    assert bought.status().files_missing == 1
    assert bought.job("done").state == "completed"
