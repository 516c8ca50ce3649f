"""Loading is idempotent, follows edits of unpaid rows, and never buys an edit by itself."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.engine import Engine, spec
from support.refused import refused

from jobs.model.errors import LoadError
from jobs.model.provider import Rejected
from jobs.model.states import FailureKind
from jobs.ports.loading import OnChange
from jobs.store import views


@pytest.fixture
def engine(tmp_path: Path):
    """An engine that knows the price of ten seconds."""
    found = Engine(tmp_path)
    found.announce(s10=120_000)
    yield found
    found.store.close()


def unnamed(prompt: str, row: int):
    """A row without id, whose key comes from its content."""
    return spec(f"r-{prompt}", prompt=prompt, row=row, key_from_content=True)


def test_the_same_manifest_again_adds_nothing(engine: Engine) -> None:
    """Loading twice is loading once, before and after the rows were bought."""
    rows = [spec(f"r{i}", row=i) for i in range(5)]
    assert engine.load(rows).added == 5
    again = engine.load(rows)
    assert (again.added, again.updated, again.unchanged) == (0, 0, 5)
    engine.run()
    again = engine.load(rows)
    assert (again.added, again.updated, again.unchanged, again.edited) == (0, 0, 5, [])
    engine.run()
    assert len(engine.provider.made) == 5


def test_an_edited_row_that_was_not_submitted_is_updated(engine: Engine) -> None:
    """The edit is what is bought."""
    engine.load([spec("a", prompt="old"), spec("b", row=1)])
    report = engine.load([spec("a", prompt="new", duration=15), spec("b", row=1)])
    assert (report.updated, report.unchanged, report.edited) == (1, 1, [])
    job = engine.jobs()["a"]
    assert (job.prompt, job.duration, job.kind) == ("new", 15, "fake/sora/15")


def test_an_edited_row_that_was_paid_is_reported_and_redone_only_on_demand(engine: Engine) -> None:
    """The video stays what was bought; ``--redo-changed`` buys a new attempt, keeping history."""
    engine.load([spec("a", prompt="old")])
    engine.run()
    report = engine.load([spec("a", prompt="new")])
    assert (report.edited, report.redone) == (["a"], [])
    assert engine.jobs()["a"].prompt == "old"
    engine.run()
    assert len(engine.provider.made) == 1
    report = engine.load([spec("a", prompt="new")], on_change=OnChange.REDO)
    assert (report.edited, report.redone) == ([], ["a"])
    engine.run()
    assert [prompt for prompt, _ in engine.provider.posts] == ["old", "new"]
    assert [attempt.state for attempt in engine.attempts()] == ["completed", "completed"]
    assert engine.jobs()["a"].charged_micros == 240_000


def test_a_refused_row_that_is_mended_goes_back_to_the_queue(engine: Engine) -> None:
    """A validation failure cost nothing, so its mended row is simply bought."""
    engine.provider.script = {"bad": [Rejected(FailureKind.VALIDATION, "no")]}
    engine.load([spec("a", prompt="bad")])
    engine.run()
    engine.load([spec("a", prompt="good")])
    assert engine.jobs()["a"].state == "queued"
    engine.run()
    assert engine.jobs()["a"].state == "completed"


def test_a_row_that_is_in_doubt_is_not_edited(engine: Engine) -> None:
    """What may be under way stays as it was sent, even on demand."""
    engine.provider.script = {"old": ["made"]}
    engine.load([spec("a", prompt="old")])
    engine.run(during=lambda runner: setattr(engine.provider, "on_post", lambda _: runner.stop()))
    report = engine.load([spec("a", prompt="new")], on_change=OnChange.REDO)
    assert (report.busy, report.redone) == (["a"], [])
    assert engine.jobs()["a"].prompt == "old"


def test_a_removed_unpaid_row_is_cancelled_and_comes_back(engine: Engine) -> None:
    """What is no longer wanted is not bought; putting the row back queues it again."""
    rows = [spec("a"), spec("b", row=1)]
    engine.load(rows)
    assert engine.load(rows[:1]).cancelled == ["b"]
    assert engine.jobs()["b"].state == "cancelled"
    engine.load(rows)
    assert engine.jobs()["b"].state == "queued"


def test_left_out_rows_cancel_nothing(engine: Engine) -> None:
    """With invalid rows skipped, a missing key may only be a broken row."""
    engine.load([spec("a"), spec("b", row=1)])
    assert engine.load([spec("a")], whole=False).cancelled == []
    assert engine.jobs()["b"].state == "queued"


def test_an_edit_of_an_unpaid_row_without_id_replaces_it(engine: Engine) -> None:
    """Without id an edit changes the key: the old row must not be bought beside the new one."""
    engine.load([unnamed("one", 1), unnamed("two", 2)])
    report = engine.load([unnamed("one", 1), unnamed("too", 2)])
    assert (report.added, report.cancelled) == (1, ["r-two"])
    engine.run()
    assert sorted(made.prompt for made in engine.provider.made) == ["one", "too"]


def test_what_may_be_an_edit_of_a_paid_row_without_id_stops(engine: Engine) -> None:
    """A paid row vanished and a new one came: nothing is loaded until a person says which."""
    engine.load([unnamed("one", 1), unnamed("two", 2)])
    engine.run()
    edited = [unnamed("one", 1), unnamed("two!", 2)]
    with refused(LoadError, match="--redo-changed"):
        engine.load(edited)
    assert set(engine.jobs()) == {"r-one", "r-two"}


@pytest.mark.parametrize(("choice", "jobs"), [(OnChange.REDO, 2), (OnChange.KEEP, 3)])
def test_a_person_says_what_the_edit_meant(engine: Engine, choice: OnChange, jobs: int) -> None:
    """Redone, the row keeps its history; kept, both videos stand. Either way one is bought."""
    engine.load([unnamed("one", 1), unnamed("two", 2)])
    engine.run()
    edited = [unnamed("one", 1), unnamed("two!", 2)]
    engine.load(edited, on_change=choice)
    engine.run()
    assert len(engine.jobs()) == jobs
    assert [prompt for prompt, _ in engine.provider.posts] == ["one", "two", "two!"]
    # said once, it is not asked again
    assert engine.load([*edited, unnamed("three", 3)]).added == 1


def test_another_file_of_the_same_name_is_refused(engine: Engine) -> None:
    """A batch is known by its path too: two ``prompts.csv`` are two batches."""
    now = engine.clock.now()

    def opened(name: str | None, source: str) -> int:
        return engine.store.write(
            lambda c: views.open_batch(c, name, "prompts", source, ["prompt"], now)
        )

    first = opened(None, "/one/prompts.csv")
    assert opened(None, "/one/prompts.csv") == first
    with refused(LoadError, match="--name"):
        opened(None, "/two/prompts.csv")
    assert opened("second", "/two/prompts.csv") != first
    assert opened("prompts", "/moved/prompts.csv") == first


@settings(max_examples=25, deadline=None)
@given(
    sheets=st.lists(
        st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 2)), unique_by=lambda r: r[0]),
        min_size=1,
        max_size=5,
    )
)
def test_whatever_the_order_of_edits_the_table_is_the_last_sheet(
    sheets: list[list[tuple[str, int]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Any sequence of loads before anything was paid ends as the last one alone would have."""
    engine = Engine(tmp_path_factory.mktemp("sheets"))
    for sheet in sheets:
        engine.load([spec(key, prompt=f"{key}{v}", row=i) for i, (key, v) in enumerate(sheet)])
    queued = {k: job.prompt for k, job in engine.jobs().items() if job.state == "queued"}
    assert queued == {key: f"{key}{version}" for key, version in sheets[-1]}
    engine.store.close()
