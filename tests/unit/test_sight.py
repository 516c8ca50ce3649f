"""Whether the look before buying believes a list, by what it shows of generations that are ours."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from jobs.evidence.echo import Echo
from jobs.evidence.ours import Acceptance
from jobs.evidence.sight import WORD, YOUNG, Bought, Sight, see
from jobs.model.provider import Generation, GenerationPhase

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LONG = "a heron & a boat in tall reeds at dusk, and so on until the end of the series"


def shown(name: str, prompt: str | None = LONG, **changes: object) -> Generation:
    one = Generation(name, GenerationPhase.COMPLETED, prompt=prompt, created_at=NOW - HOUR)
    return replace(one, **changes)


def ours(name: str, *, bought: bool = True) -> Acceptance:
    return Acceptance(int(name[1:]), name, LONG, bought, NOW - HOUR, NOW - HOUR)


def sight(
    *generations: Generation, known: str = "", taken: str = "", due: str = "", age: timedelta = HOUR
) -> Sight:
    """Judge a list of these, of which some are ours, and others must be there."""
    acceptances = [ours(name) for name in known.split()]
    acceptances += [ours(name, bought=False) for name in taken.split()]
    return see(
        {one.id: one for one in generations},
        {one.generation_id: one for one in acceptances},
        [Bought(name, NOW - age) for name in due.split()],
        NOW,
        None,
    )


@pytest.mark.parametrize(
    ("generations", "known", "due", "trouble"),
    [
        ([], "", "", ""),
        ([shown("g1"), shown("g2")], "g1", "g1", ""),
        ([shown("g1")], "g1", "g1 g3", "does not show generation g3"),
        ([], "", "g3", "does not show generation g3"),
        ([shown("g1", None)], "g1", "g1", "shows generation g1 without its prompt"),
        ([shown("g1"), shown("g2", None)], "g1", "g1", ""),
        ([shown("g2", None)], "", "", "shows generation g2 without its prompt"),
        ([shown("g2", None, phase=GenerationPhase.FAILED)], "", "", ""),
        ([shown("g1", f"4k: {LONG}")], "g1", "g1", "generation g1 with other words"),
        ([shown("g1", LONG[:30])], "g1", "g1", ""),
        ([shown("g1", LONG.upper())], "g1", "g1", ""),
    ],
)
def test_what_a_list_must_show_to_be_believed(
    generations: list[Generation], known: str, due: str, trouble: str
) -> None:
    """All that is ours, each with its prompt, or with what an alteration makes of it."""
    found = sight(*generations, known=known, due=due)
    assert trouble in found.trouble
    assert bool(found.trouble) == bool(trouble)


def test_what_was_bought_tells_more_than_what_was_taken_over() -> None:
    """A person may take over what has another prompt."""
    generations = [shown("g1"), shown("g2", "another prompt altogether")]
    assert sight(*generations, known="g1", taken="g2").trouble == ""
    assert "generation g2" in sight(*generations, taken="g2").trouble


@pytest.mark.parametrize(("age", "young"), [(YOUNG / 2, True), (YOUNG * 2, False), (-HOUR, True)])
def test_what_was_bought_a_moment_ago_may_be_shown_later(age: timedelta, *, young: bool) -> None:
    """Then a later reading may do; what is missing for longer will hardly come."""
    assert sight(shown("g1"), known="g1", due="g2", age=age).young is young
    assert not sight(shown("g1"), known="g1", due="g1", age=age).young


def test_how_short_a_cut_could_be() -> None:
    """No shorter than what is shown whole, nor by more than a word than the list's longest."""
    assert sight(shown("g2", LONG)).shows.shortest == (len(LONG) - WORD,) * 3
    assert sight(shown("g1", LONG), known="g1").shows.shortest == (len(LONG),) * 3
    cut = sight(shown("g1", LONG[:42]), known="g1").shows
    assert (cut.echo, cut.shortest) == (Echo(cut=42), (42 - WORD,) * 3)
