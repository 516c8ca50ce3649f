"""An upgrade from 0011 knows what was asked for, as if it had been kept at the time."""

from pathlib import Path

import pytest
from sqlalchemy import select, update
from support.engine import Engine, spec
from support.older import make_0011

from jobs.database import schema
from jobs.database.tables import ATTEMPT, JOB
from jobs.model.provider import ImageRef
from jobs.store import Store

PROMPTS = ("a red boat", "a  red boat", " a red boat", "a cafe\u0301", "a café", "a sea\u00a0bird")
IMAGE = ImageRef(source="https://example.org/mug.png")


def known(store: Store) -> list[tuple[str, str]]:
    """Read each attempt's prompt and request."""
    what = select(ATTEMPT.c.prompt, ATTEMPT.c.request_key).order_by(ATTEMPT.c.id)
    return store.read(lambda c: [(row.prompt, row.request_key) for row in c.execute(what)])


@pytest.mark.parametrize("edited", [{}, {"duration": 15, "orientation": "16:9"}, {"image": None}])
def test_an_upgrade_knows_requests_however_they_are_spelled(
    tmp_path: Path, edited: dict[str, object]
) -> None:
    engine = Engine(tmp_path, clock_ahead=None)
    engine.announce(s10=120_000, **{"s10+image": 120_000})
    rows = [(prompt, image) for image in (IMAGE, None) for prompt in PROMPTS]
    engine.load(
        spec(f"r{n}", row=n, prompt=prompt, image=image) for n, (prompt, image) in enumerate(rows)
    )
    engine.run()
    before = known(engine.store)
    assert len(before) == len(PROMPTS) * 2
    assert len({key for _, key in before}) == 6, "three texts, each with and without a picture"
    if edited:
        engine.store.write(lambda c: c.execute(update(JOB).values(**edited)))
    engine.store.close()
    make_0011(engine.path)
    schema.upgrade(engine.path)
    store = Store(engine.path)
    try:
        after = known(store)
    finally:
        store.close()
    lost = 4 if "image" in edited else 0
    assert len(after) == len(before)
    assert sum(one != other for one, other in zip(before, after, strict=True)) == lost
