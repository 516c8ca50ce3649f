"""Lost answers where the list shows a mark of each attempt: settled exactly, or not at all."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from jobs.evidence.account_list import Reading
from jobs.evidence.books import Agreement, Books
from jobs.evidence.ours import Acceptance
from jobs.evidence.settling import settle
from jobs.evidence.suspects import ClockOffset, Settlement, Suspect, SuspectAttempt
from jobs.evidence.witness import Witness, judge
from jobs.model.provider import Generation, GenerationPhase
from jobs.model.text import prompt_key

NOW = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
GRACE = timedelta(seconds=180)
HERON = "a heron in reeds"
PRICE = 320_000
OFFSET = ClockOffset(timedelta(seconds=-1), timedelta(seconds=1), known=True, measured=True)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def doubt(number: int, mark: str | None, state: str = "in_doubt", **seen: Any) -> Suspect:
    """A submission that ended without an answer, long ago unless it is said."""
    attempt = SuspectAttempt(
        id=number,
        state=state,
        kind="runblob/veo/veo_3_fast/video",
        prompt=HERON,
        request_key="r",
        intent_at=at(number),
        sent_until=at(number + 1),
        price=PRICE,
        mark=mark,
    )
    known = {"past_grace": True, "shown": True} | seen
    return Suspect(attempt, prompt_key(HERON), OFFSET, **known)


def made(name: str, mark: str | None, created: float = 1, prompt: str | None = HERON) -> Generation:
    return Generation(
        f"veo:{name}", GenerationPhase.PENDING, prompt=prompt, created_at=at(created), mark=mark
    )


def decide(
    suspects: Sequence[Suspect],
    *shown: Generation,
    marks: bool = True,
    known: Sequence[str] = (),
    stable: bool = True,
) -> Settlement:
    reading = Reading("veo", shown, at(10_000), whole=True, to_the_end=True)
    books = Books(PRICE, PRICE, agreed=Agreement(100 * PRICE))
    witness = Witness(newest_attempt=10_000, lag=1.0, books=books, marks=marks)
    return settle(list(suspects), reading, set(known), witness, GRACE, lambda _: stable)


def test_a_mark_is_its_attempts_however_many_are_alike() -> None:
    """At once, without waiting for the list to settle, and beside others' equal prompts."""
    found = decide(
        [doubt(1, "seed=1", past_grace=False), doubt(2, "seed=2")],
        made("x", "seed=2"),
        made("theirs", "seed=77"),
        made("theirs too", "seed=78"),
        made("y", "seed=1"),
        stable=False,
    )
    assert {number: one.id for number, one in found.adopt} == {1: "veo:y", 2: "veo:x"}
    assert not found.contested
    assert not found.void


def test_what_shows_another_mark_holds_no_absence_back() -> None:
    """Others' videos of the same prompt are surely theirs, so the doubt was never made."""
    found = decide([doubt(1, "seed=1")], made("theirs", "seed=77"))
    assert found.void == [1]


def test_where_nothing_shows_that_marks_are_kept_prompts_decide() -> None:
    """A list that gives another seed for all it has may have replaced ours."""
    found = decide(
        [doubt(1, "seed=1")], made("maybe", "seed=77"), made("or", "seed=78"), marks=False
    )
    assert [*found.contested] == [1]
    assert not found.void


def test_an_entry_that_hides_its_mark_waits_for_a_person() -> None:
    for prompt in (HERON, None):
        found = decide([doubt(1, "seed=1")], made("hidden", None, prompt=prompt))
        assert [*found.contested] == [1], prompt
        assert not found.void
        assert not found.adopt


def test_a_mark_twice_is_nobodys() -> None:
    """The provider answered one seed for two: a person decides."""
    found = decide([doubt(1, "seed=1")], made("a", "seed=1"), made("b", "seed=1"))
    assert [*found.contested] == [1]
    both = decide([doubt(1, "seed=1"), doubt(2, "seed=1")], made("a", "seed=1"))
    assert sorted(both.contested) == [1, 2]
    assert not both.adopt


def test_a_void_that_turns_up_by_its_mark_is_told() -> None:
    found = decide([doubt(1, "seed=1", "void")], made("late", "seed=1"))
    assert [(number, one.id) for number, one in found.appeared] == [(1, "veo:late")]


def test_what_is_still_being_sent_is_left_to_its_answer() -> None:
    """Nor does another doubt of the same prompt, without a mark, get it."""
    found = decide([doubt(1, "seed=1", "open"), doubt(2, None)], made("its", "seed=1"))
    assert not found.adopt
    assert not found.contested


def test_a_list_keeps_marks_if_it_shows_each_of_ours() -> None:
    def bought(number: int, mark: str | None) -> Acceptance:
        return Acceptance(number, f"veo:g{number}", HERON, True, at(number), at(number), mark=mark)

    for shown, expected in ((["seed=1", "seed=2"], True), (["seed=1", "seed=9"], False)):
        ours = [bought(1, "seed=1"), bought(2, "seed=2"), bought(3, None)]
        list_of_it = [made(f"g{n}", mark) for n, mark in enumerate([*shown, None], 1)]
        reading = Reading("veo", list_of_it, at(100), whole=True, to_the_end=True)
        assert judge(reading, ours, ours, GRACE, 1.0).marks is expected
    assert not judge(reading, ours[2:], ours[2:], GRACE, 1.0).marks, "none of ours has one"


def test_two_thousand_attempts_leave_nothing_over() -> None:
    """Fifty prompts, a tenth of the answers lost, and somebody else who buys the same."""
    chance = random.Random(20)
    seeds = chance.sample(range(1_000_000_000), 4000)
    lost: dict[int, str] = {}
    shown: list[Generation] = []
    suspects: list[Suspect] = []
    for number in range(1, 2001):
        prompt = f"{HERON} {number % 50}"
        mark = f"seed={seeds[number]}"
        one = doubt(number, mark)
        if number % 10 == 0:
            suspects.append(
                Suspect(one.attempt, prompt_key(prompt), OFFSET, past_grace=True, shown=True)
            )
            if number % 20 == 0:  # made, and its answer lost
                lost[number] = f"veo:{number}"
                shown.append(made(str(number), mark, number, prompt))
            if number % 30 == 0:
                twin = f"seed={seeds[-number]}"
                shown.append(made(f"twin {number}", twin, number, prompt))
    chance.shuffle(shown)
    shown.sort(key=lambda g: g.created_at or NOW, reverse=True)
    found = decide(suspects, *shown)
    assert {number: one.id for number, one in found.adopt} == lost
    assert sorted(found.void) == [n for n in range(10, 2001, 10) if n % 20]
    assert not found.contested
    assert not found.unproven


def test_another_mark_is_not_taken_for_a_rewritten_one() -> None:
    """Before any of ours shows that the list keeps marks, somebody else's is left to a person."""
    found = decide([doubt(1, "seed=1")], made("theirs", "seed=77"), marks=False)
    assert (found.adopt, found.void) == ([], [])
    assert [one.id for one in found.contested[1]] == ["veo:theirs"]
    alone = decide([doubt(1, "seed=1")], made("bare", None), marks=False)
    assert [number for number, _ in alone.adopt] == [1], "a list that shows no marks at all"
