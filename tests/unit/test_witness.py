"""Whether a reading of the list has told the truth about everything that is known."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobs.evidence.account_list import Reading
from jobs.evidence.echo import Echo
from jobs.evidence.ours import Acceptance
from jobs.evidence.witness import Witness, judge
from jobs.model.provider import Generation, GenerationPhase
from jobs.reconciliation.watch_schedule import LagMeter

NOW = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
TOLERANCE = timedelta(seconds=180)
PROMPTS = ("a heron in reeds at dawn", "A harbour & its lighthouse", "Snow")


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def bought(number: int, sent: float, **changes: Any) -> Acceptance:
    fields = {
        "generation_id": f"g{number}",
        "prompt": PROMPTS[number % len(PROMPTS)],
        "bought": True,
        "intent_at": at(sent),
        "accepted_at": at(sent + 1),
    }
    return Acceptance(attempt_id=number, **fields | changes)


def show(one: Acceptance, **changes: Any) -> Generation:
    fields = {"prompt": one.prompt, "created_at": one.intent_at}
    return Generation(one.generation_id, GenerationPhase.PENDING, **fields | changes)


def judged(
    ours: Sequence[Acceptance], *shown: Generation, began: float = 1000, whole: bool = True
) -> Witness:
    names = {generation.id for generation in shown}
    known = [one for one in ours if one.generation_id in names]
    reading = Reading("sora", shown, at(began), whole=whole, to_the_end=True)
    return judge(reading, known, ours, TOLERANCE, 2.0)


def test_a_list_that_shows_what_it_must_is_a_witness() -> None:
    """Every acceptance is there under its own prompt; it says how far the list has come."""
    ours = [bought(n, 100 * n) for n in (1, 2, 3)]
    witness = judged(ours, *(show(one) for one in reversed(ours)))
    assert witness.faithful
    assert (witness.newest_attempt, witness.newest_intent) == (3, at(300))
    assert witness.echo == Echo()
    assert witness.lag == 2.0


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_one_that_is_missing_makes_it_none(missing: int) -> None:
    """Lossy or frozen: an example is named."""
    ours = [bought(n, 100 * n) for n in (1, 2, 3)]
    witness = judged(ours, *(show(one) for one in ours if one.attempt_id != missing))
    assert not witness.faithful
    assert f"g{missing}" in witness.trouble


def test_what_was_accepted_just_now_may_be_missing_still() -> None:
    """A list lags: only past its tolerance, or behind what it shows, must it be there."""
    ours = [bought(1, 100), bought(2, 900)]
    assert judged(ours, show(ours[0])).faithful
    overtaken = [bought(1, 100), bought(2, 900), bought(3, 950)]
    assert not judged(overtaken, show(overtaken[0]), show(overtaken[2])).faithful


@pytest.mark.parametrize(
    ("shown", "word"),
    [
        (str.lower, "lower-cased"),
        (lambda text: text.replace("&", "&amp;"), "HTML-escaped"),
        (lambda text: text[:20], "cut after 20"),
        (lambda text: f"Cinematic, {text}", "in other words"),
        (lambda _: None, "without one"),
    ],
)
def test_prompts_that_are_altered_make_it_none(shown: Any, word: str) -> None:
    """What it does is told, with an example."""
    ours = [bought(n, 100 * n) for n in (1, 2, 3)]
    witness = judged(ours, *(show(one, prompt=shown(one.prompt)) for one in ours))
    assert not witness.faithful
    assert word in witness.trouble


def test_without_anything_known_it_proves_nothing() -> None:
    """Who has shown nothing true yet is no witness."""
    stranger = Generation("x", GenerationPhase.PENDING, prompt="a fox", created_at=at(5))
    assert not judged([], stranger).faithful
    assert not judged([]).faithful


def test_pages_with_a_gap_make_it_none() -> None:
    """What did not fit together may hide the one that is looked for."""
    ours = [bought(1, 100)]
    assert not judged(ours, show(ours[0]), whole=False).faithful


def test_how_late_a_list_is_is_measured_at_first_sight() -> None:
    """Only of what was accepted while the list is read, and only between two readings near it."""
    meter = LagMeter(None, coarsest=180)
    assert not meter.heed(at(0), [("old", at(-50))], 0)
    assert meter.longest is None
    assert not meter.heed(at(30), [("old", at(-50))], 0)
    assert meter.heed(at(40), [("old", at(-50)), ("a", at(25))], 0)
    assert meter.longest == 15
    assert not meter.heed(at(50), [("a", at(25)), ("b", at(45))], 0)
    assert meter.heed(at(60), [("c", at(41))], 3)
    assert meter.longest == 22
    # the machine slept: what appeared in between tells too little
    assert not meter.heed(at(9000), [("d", at(61))], 0)
    assert meter.longest == 22


def test_a_reading_is_measured_before_it_is_remembered() -> None:
    """What a transaction decides may be taken back: the meter learns once that is durable."""
    meter = LagMeter(None, coarsest=180)
    meter.heed(at(0), [], 0)
    shown = [("a", at(25))]
    assert meter.measured(at(40), shown, 0) == 15
    assert meter.measured(at(40), shown, 0) == 15
    assert meter.longest is None
    assert meter.heed(at(40), shown, 0)
    assert meter.measured(at(50), shown, 0) == 15


def test_a_clock_that_was_set_back_measures_nothing() -> None:
    """The reading before was a day ahead: what lies between both is no lag."""
    meter = LagMeter(None, coarsest=20)
    meter.heed(at(0), [], 0)
    meter.heed(at(86_400), [], 86_400)
    assert not meter.heed(at(30), [("a", at(24))], 86_400)
    assert meter.longest is None


def test_a_list_eight_minutes_late_is_measured_as_that() -> None:
    """No bound cuts it short: the grace of every doubt grows by it."""
    meter = LagMeter(None, coarsest=60)
    for moment in range(0, 600, 30):
        meter.heed(at(moment), [("late", at(10))] if moment >= 490 else [], 0)
    assert meter.longest == 500
