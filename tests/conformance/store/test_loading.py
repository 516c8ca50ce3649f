"""Loading: rows come in wholly or not at all, and what was paid for is never bought again by it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from support.engine import spec
from support.steps import KIND, PRICE, Steps

from jobs.model.errors import LoadError
from jobs.model.ledger import Refunds
from jobs.model.provider import GenerationRequest
from jobs.model.retry import Patience
from jobs.model.spec import JobSpec, SpecRow, spec_row
from jobs.model.states import FailureKind, HeldBack
from jobs.ports.control import Terms
from jobs.ports.loading import LoadReport, OnChange, StagedCount
from jobs.ports.queries import QueryStore
from jobs.ports.selection import Sought
from jobs.ports.updates import Failed

DONE = ("added", "updated", "unchanged", "edited", "redone", "busy", "cancelled")


def did(report: LoadReport) -> dict[str, object]:
    """Return what a load did, without what it did not."""
    return {name: getattr(report, name) for name in DONE if getattr(report, name)}


def plain(key: str, prompt: str, row: int = 1) -> JobSpec:
    """Make a row without an id of its own."""
    return spec(key, prompt=prompt, row=row, key_from_content=True)


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


# -- staging


def test_staged_rows_are_counted_and_read_before_they_are_loaded(steps: Steps) -> None:
    """In their order, in place of those before; nobody else sees them."""
    loading = steps.store.loading
    assert loading.stage([]) == 0
    assert loading.staged_rows() == []
    assert loading.staged_counts() == []
    assert loading.staged_first(3) == []
    two = [spec("b", row=3, campaign="k"), spec("b#2", row=3, campaign="k"), spec("a", row=5)]
    assert steps.stage(spec("gone")) == 1
    assert steps.stage(*two) == 3
    assert loading.staged_rows() == [3, 5]
    assert loading.staged_counts() == [StagedCount(KIND, "k", 2), StagedCount(KIND, None, 1)]
    assert loading.staged_counts([5]) == [StagedCount(KIND, None, 1)]
    assert [one.key for one in loading.staged_first(2)] == ["b", "b#2"]
    (first,) = loading.staged_first(2, [5])
    assert (first.key, first.asked.prompt, first.cells) == ("a", "prompt of a", {})
    assert steps.store.queries.jobs() == []


def test_what_reading_rows_raises_leaves_what_was_staged_before(steps: Steps) -> None:
    """Nothing of what was read until then."""
    steps.stage(spec("before", row=9))

    def broken() -> Iterator[SpecRow]:
        yield spec_row(spec("a"), KIND)
        raise ValueError("a cell")

    with pytest.raises(ValueError, match="a cell"):
        steps.store.loading.stage(broken())
    assert steps.store.loading.staged_rows() == [9]


# -- loading


@pytest.mark.parametrize("many", [0, 1, 1200])
def test_a_manifest_is_loaded_and_loaded_again(steps: Steps, many: int) -> None:
    """The same rows again change nothing."""
    keys = [f"r{number}" for number in range(many)]
    assert did(steps.load(*keys)) == ({"added": many} if many else {})
    assert steps.status().jobs["queued"] == many
    assert did(steps.load(*keys)) == ({"unchanged": many} if many else {})


def test_a_row_is_kept_as_it_was_written(steps: Steps) -> None:
    row = spec("a", row=7, priority=3, campaign="k", cells={"id": "a", "note": "ü"}, duration=15)
    steps.load(row, kind="fake/sora/15")
    job = steps.job("a")
    kept = (job.row, job.priority, job.campaign, job.cells, job.duration, job.kind)
    assert kept == (7, 3, "k", {"id": "a", "note": "ü"}, 15, "fake/sora/15")
    assert (job.request, job.request_key) == (row.request, row.request_key)
    assert job.created_at == steps.now


def test_another_model_and_its_parameters_are_sent_as_they_were_written(steps: Steps) -> None:
    """They are part of what is asked for: another value is another video."""
    request = GenerationRequest(
        "a kite", "9:16", 10, model="veo-3", parameters={"seed": 7, "hd": True}
    )
    other = replace(request, parameters={"seed": 8, "hd": True})
    rows = [
        JobSpec(key, key_from_content=False, row=row, request=asked)
        for key, row, asked in (("a", 1, request), ("b", 2, other))
    ]
    steps.load(*rows, kind="fake/veo-3/10")
    steps.price("fake/veo-3/10")
    assert (steps.job("a").request, steps.job("b").request) == (request, other)
    assert steps.job("a").fingerprint != steps.job("b").fingerprint
    steps.begin()
    assert steps.claim(1)["a"].request == request


def test_nothing_of_a_load_stands_that_is_not_agreed_to(steps: Steps) -> None:
    """Nor one whose commit fails; the rows are staged still, and can be loaded then."""
    seen: list[int] = []

    def no(report: LoadReport) -> None:
        seen.append(report.added)
        raise KeyError("no")

    with pytest.raises(KeyError):
        steps.load("a", "b", agree=no)
    with steps.kind.failing_commit(steps.store):
        steps.load("a", "b")
    assert seen == [2]
    assert steps.store.queries.batches() == []
    assert did(steps.load("a", "b")) == {"added": 2}


def test_terms_are_kept_with_the_load(steps: Steps) -> None:
    """A budget of a campaign that no row has takes the load back."""
    with pytest.raises(LoadError):
        steps.load("a", said=Terms(campaigns={"q": 5}, checked=["q"]))
    assert steps.store.queries.batches() == []
    steps.load(spec("a", campaign="q"), said=Terms(batch=9, campaigns={"q": 5}, checked=["q"]))
    assert [steps.store.queries.cap(key) for key in ("batch:1", "campaign:1:q")] == [9, 5]


def test_a_batch_is_found_by_its_file_or_by_its_name(steps: Steps) -> None:
    """Another file under the same default name needs a name."""
    steps.load("a", reading={"path": "/m/night.csv"})
    queries = steps.store.queries
    assert steps.load("a", default_name="another").batch_id == 1  # the same file
    with pytest.raises(LoadError):
        steps.load("a", source="/else/night.csv")
    with pytest.raises(LoadError):
        queries.batch_of(None, "night", "/else/night.csv")
    assert steps.load("a", source="/else/night.csv", name="night").batch_id == 1
    (batch,) = queries.batches()
    assert batch.source == "/else/night.csv"
    assert queries.batch_of("new", "night", None) is None
    assert queries.find_batch(None, "/m/night.csv") is None
    assert queries.find_batch("night", "") == batch


def test_an_unpaid_edit_is_followed(bought: Steps) -> None:
    """What left the manifest unpaid is cancelled, and comes back when it does."""
    report = bought.load("done", "failed", "busy", spec("queued", prompt="new", row=4))
    assert did(report) == {"updated": 1, "unchanged": 3}
    assert bought.job("queued").prompt == "new"
    report = bought.load("done", "failed", "busy")
    assert did(report) == {"unchanged": 3, "cancelled": ["queued"]}
    assert bought.states()["queued"] == "cancelled"
    bought.load("done", "failed", "busy", "queued")
    assert bought.states()["queued"] == "queued"
    report = bought.load("done", whole=False)
    assert did(report) == {"unchanged": 1}  # rows were left out: nothing is cancelled


EDITS = {
    OnChange.STOP: ({"edited": ["done"], "busy": ["busy"], "updated": 1}, "completed"),
    OnChange.KEEP: ({"edited": ["done"], "busy": ["busy"], "updated": 1}, "completed"),
    OnChange.REDO: ({"redone": ["done", "failed"], "busy": ["busy"]}, "queued"),
}


@pytest.mark.parametrize("on_change", EDITS)
def test_an_edit_of_a_paid_row_is_followed_where_a_person_says_so(
    bought: Steps, on_change: OnChange
) -> None:
    """What is under way is never edited; what came to nothing is bought under the caps."""
    rows = [spec(key, prompt=f"new {key}", row=n) for n, key in enumerate(bought.states(), 1)]
    report = bought.load(*rows, on_change=on_change)
    assert report.busy == ["busy"]
    assert set(report.redone) == ({"done", "failed"} if on_change is OnChange.REDO else {"failed"})
    assert report.edited == ([] if on_change is OnChange.REDO else ["done"])
    assert bought.states()["done"] == EDITS[on_change][1]
    assert bought.states()["failed"] == "queued"
    assert bought.job("busy").prompt == "prompt of busy"
    assert bought.money() == (3 * PRICE, 0)


def test_a_failed_edit_that_is_taken_back_has_failed_again(bought: Steps) -> None:
    """What failed is not bought again by that."""
    bought.load("done", spec("failed", prompt="new", row=2), "busy", "queued")
    assert bought.states()["failed"] == "queued"
    bought.load("done", "failed", "busy", "queued")
    job = bought.job("failed")
    assert (job.state, job.error_kind, job.error) == ("failed", "content", "no")


def test_a_failed_row_in_other_white_space_stays_failed(bought: Steps) -> None:
    bought.load("done", spec("failed", prompt="prompt  of failed", row=2), "busy", "queued")
    job = bought.job("failed")
    assert (job.state, job.prompt) == ("failed", "prompt  of failed")


def test_a_failed_row_under_another_id_is_not_bought_again(bought: Steps) -> None:
    """The row that asks for the same takes it over; one that is renumbered keeps its past."""
    moved = spec("renamed", prompt="prompt of failed", row=2)
    report = bought.load("done", moved, "busy", "queued")
    assert did(report) == {"unchanged": 4}
    assert bought.job("renamed").state == "failed"
    assert [one.state for one in bought.attempts("renamed")] == ["failed"]


def test_rows_that_swap_their_ids_keep_what_they_have(steps: Steps) -> None:
    """Two failed rows change places: neither is bought again."""
    steps.load("a", "b", "c")
    steps.begin()
    for key in steps.buy("a", "b", want=2):
        number = steps.job(key).attempt_id
        assert number is not None
        steps.end(key, Failed(number, FailureKind.CONTENT, f"no {key}", None))
    steps.load(spec("a", prompt="prompt of b", row=1), spec("b", prompt="prompt of a", row=2), "c")
    assert steps.states() == {"a": "failed", "b": "failed", "c": "queued"}
    assert (steps.job("a").error, steps.job("b").error) == ("no b", "no a")


def test_a_paid_row_under_another_id_keeps_its_video(bought: Steps) -> None:
    moved = spec("renamed", prompt="prompt of done", row=1)
    report = bought.load(moved, "failed", "busy", "queued")
    assert report.added == 0
    job = bought.job("renamed")
    assert (job.state, len(bought.attempts("renamed"))) == ("completed", 1)


def test_a_paid_row_that_left_comes_back_with_its_video(bought: Steps) -> None:
    bought.load("failed", "busy", "queued")
    assert not bought.job("done").in_manifest
    bought.load(spec("again", prompt="prompt of done", row=1), "failed", "busy", "queued")
    assert bought.job("again").state == "completed"
    assert bought.job("again").in_manifest


def test_ids_that_moved_to_other_rows_stop_the_load(bought: Steps) -> None:
    """The video of one would be bought again, and the other's never; nothing is changed."""
    rows = [
        spec("done", prompt="new", row=1),
        "failed",
        "busy",
        spec("queued", prompt="prompt of done", row=4),
    ]
    with pytest.raises(LoadError):
        bought.load(*rows)
    assert bought.job("queued").prompt == "prompt of queued"
    report = bought.load(*rows, on_change=OnChange.KEEP)
    assert report.edited == ["done"]
    assert bought.job("queued").prompt == "prompt of done"


def test_paid_rows_without_id_that_vanish_while_others_come_need_a_word(steps: Steps) -> None:
    """They may be edits; what is said decides whether the new ones take their places."""
    steps.load(plain("p1", "one"), plain("p2", "two", 2))
    steps.begin()
    steps.buy("p1", "p2")
    steps.end("p1")
    new = [plain("n1", "new one"), plain("p2", "two", 2)]
    with pytest.raises(LoadError):
        steps.load(*new)
    assert set(steps.states()) == {"p1", "p2"}
    report = steps.load(*new, on_change=OnChange.REDO)
    assert (report.redone, report.added) == (["n1"], 0)
    assert steps.states() == {"n1": "queued", "p2": "pending"}
    assert len(steps.attempts("n1")) == 1
    report = steps.load(plain("n1", "new one"), plain("n2", "third", 2), on_change=OnChange.REDO)
    assert report.busy == ["p2"]
    both = [plain("n1", "new one"), plain("n2", "third", 2), plain("n3", "fourth", 3)]
    assert steps.load(*both, on_change=OnChange.KEEP).added == 1
    assert steps.money() == (2 * PRICE, 0)


def test_a_row_that_was_given_up_follows_no_edit_while_it_may_finish(bought: Steps) -> None:
    bought.later(hours=2)
    patience = Patience(bought.now, timedelta(hours=1))
    bought.store.control.give_up(bought.number("busy"), patience)
    report = bought.load("done", "failed", spec("busy", prompt="new", row=3), "queued")
    assert report.edited == ["busy"]
    assert bought.states()["busy"] == "failed"


def test_a_prompt_that_was_given_by_hand_stays(bought: Steps) -> None:
    """Until its manifest says something new."""
    bought.store.control.reword(bought.number("failed"), "by hand", None)
    bought.load("done", "failed", "busy", "queued")
    assert bought.job("failed").prompt == "by hand"
    bought.load("done", spec("failed", prompt="by the file", row=2), "busy", "queued")
    assert bought.job("failed").prompt == "by the file"


# -- single videos


def test_a_single_video_is_added_unasked(steps: Steps) -> None:
    """What the check raises takes all back; its terms are kept with it."""
    seen: list[QueryStore] = []

    def make(row: int) -> tuple[JobSpec, str]:
        return spec(f"v{row}", row=row), KIND

    def no(_: QueryStore) -> None:
        raise ValueError("no")

    add, said = steps.store.loading.add, Terms(batch=9, refunds=Refunds.ALL)
    with pytest.raises(ValueError, match="no"):
        add("single", ["prompt"], no, make, said, steps.now)
    assert steps.store.queries.batches() == []
    number, kept = add("single", ["prompt"], seen.append, make, said, steps.now)
    assert kept.refunds_before is Refunds.NONE
    second, _ = add("single", ["prompt"], seen.append, make, Terms(), steps.now)
    assert [one.key for one in steps.store.queries.numbered([second, number])] == ["v2", "v1"]
    assert steps.job("v1").held_back == HeldBack.UNASKED
    assert steps.status("single").held == steps.status("single").total == 2
    assert steps.store.queries.cap("batch:1") == 9


def test_picked_rows_are_noted(steps: Steps) -> None:
    steps.load("a", "b", "c")
    noted = steps.store.loading.note([1], named=True, pick=lambda rows: rows[:1])
    assert noted == Sought([1], named=True, rows={1: [1]}, noted=True)
    assert steps.store.adoption.count(noted).total() == 1
    assert steps.store.queries.rows_of(1) == [1, 2, 3]
