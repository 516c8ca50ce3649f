"""Model and parameters of a row: from the load to the POST, and through whatever becomes of it."""

from pathlib import Path
from typing import Any, Final

import pytest
from support.engine import Engine, spec
from support.loads import load

from jobs.model.errors import LoadError
from jobs.model.families import Kind
from jobs.model.provider import GenerationRequest, Rejected
from jobs.model.states import FailureKind
from jobs.ports.loading import OnChange
from jobs.store import steering

SEED: Final = {"parameters": {"seed": 7, "negative_prompt": "rain"}}


def sent_by(engine: Engine) -> list[GenerationRequest]:
    """Collect the requests that are sent from now on."""
    sent: list[GenerationRequest] = []
    engine.provider.on_post = sent.append
    return sent


def loaded(engine: Engine, *rows: Any, **options: Any) -> Any:
    """Load rows whose model's kinds nobody need know."""
    named = lambda request: Kind("fake", request.model, request.model, "10").key  # noqa: E731
    return engine.store.write(
        lambda c: load(c, 1, list(rows), named, engine.clock.now(), **options)
    )


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """Make an engine with a batch that may spend."""
    engine = Engine(tmp_path)
    engine.announce(s10=120_000)
    engine.load([])
    engine.cap(10_000_000)
    return engine


def test_all_of_a_request_is_sent(engine: Engine) -> None:
    """A parameter that got lost would be another video, paid for all the same."""
    sent = sent_by(engine)
    row = spec("a", **SEED)
    loaded(engine, row)
    engine.run()
    assert sent == [row.request]


def test_what_is_seen_of_a_row_has_its_request(engine: Engine) -> None:
    """Looks for the same video compare all of it."""
    row = spec("a", prompt="a  red kite", **SEED)
    loaded(engine, row)
    with engine.store.queries.snapshot() as seen:
        job = seen.job("a")
    assert job.request == row.request
    assert job.request_key == row.request_key


def test_an_edited_parameter_is_an_edit(engine: Engine) -> None:
    """Unpaid, it is followed; paid for, it needs a value; the same again changes nothing."""
    sent = sent_by(engine)
    loaded(engine, spec("a", **SEED))
    other = spec("a", parameters={"seed": 8})
    assert loaded(engine, other).updated == 1
    assert loaded(engine, other).unchanged == 1
    engine.run()
    assert loaded(engine, spec("a", **SEED)).edited == ["a"]
    assert loaded(engine, spec("a", **SEED), on_change=OnChange.REDO).redone == ["a"]
    engine.run()
    assert [request.parameters["seed"] for request in sent] == [8, 7]


def test_a_paid_row_is_known_under_another_key_by_its_parameters_too(engine: Engine) -> None:
    """A row that moved keeps its video; one with another seed is not taken for it."""
    row = {"prompt": "a red kite", "key_from_content": True}
    loaded(engine, spec("a", **row, **SEED))
    engine.run()
    report = loaded(engine, spec("b", **row, **SEED))
    assert (report.unchanged, report.added) == (1, 0)
    with pytest.raises(LoadError, match="left the manifest"):
        loaded(engine, spec("c", **row, parameters={"seed": 8}))


def test_a_new_prompt_keeps_the_parameters(engine: Engine) -> None:
    """Who rewords a row asks for nothing else of it."""
    sent = sent_by(engine)
    engine.provider.script["prompt of a"] = [Rejected(FailureKind.CONTENT, "not that")]
    loaded(engine, spec("a", **SEED))
    engine.run()
    assert engine.store.write(lambda c: steering.reword(c, 1, "another prompt"))
    engine.run()
    assert [request.prompt for request in sent] == ["prompt of a", "another prompt"]
    assert [request.parameters["seed"] for request in sent] == [7, 7]
