"""Lost answers where the list shows no times: what its order says of them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from support.loop import EPOCH

from jobs.evidence.account_list import Reading
from jobs.evidence.books import Agreement, Books
from jobs.evidence.order import Order
from jobs.evidence.ours import Acceptance
from jobs.evidence.settling import settle
from jobs.evidence.suspects import ClockOffset, Settlement, Suspect, SuspectAttempt
from jobs.evidence.witness import judge
from jobs.model.provider import Generation, GenerationPhase
from jobs.model.text import prompt_key

NOW = EPOCH
GRACE = timedelta(seconds=120)
HERON = "a heron in reeds"
PRICE = 300_000


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def own(number: int, intent: float) -> Acceptance:
    """One of ours, of another prompt, that was answered after two seconds."""
    return Acceptance(number, f"a{number}", f"row {number}", True, at(intent), at(intent + 2))


def doubt(number: int, sent: float, **changes: Any) -> Suspect:
    row = SuspectAttempt(
        number, "in_doubt", "sim/kling/k/5", HERON, "f", at(sent), at(sent + 5), price=PRICE
    )
    fields = {"past_grace": True, "shown": True, **changes}
    return Suspect(row, prompt_key(HERON), ClockOffset().by_order(), **fields)


def decide(
    doubts: Sequence[Suspect],
    names: Sequence[str],
    ours: Sequence[Acceptance],
    *,
    shown_by: float = 10_000,
    hidden: str = "",
) -> Settlement:
    """Settle by a list of names, newest first: ``u…`` are unknown herons, ``a…`` are ours."""
    known = {one.generation_id: one for one in ours}
    prompts = {name: one.prompt for name, one in known.items()}
    entries = [
        Generation(
            name,
            GenerationPhase.COMPLETED,
            None if name == hidden else prompts.get(name, HERON),
        )
        for name in names
    ]
    seen = {name: at(shown_by) for name in names if name.startswith("u")}
    order = Order(lambda ids: {name: known[name] for name in ids if name in known}, seen)
    order.heed(entries)
    placed = order.placed(entries, at(10_000), timedelta(0))
    reading = Reading(
        "kling", placed or entries, at(10_000), whole=placed is not None, to_the_end=True
    )
    witness = judge(reading, ours, ours, GRACE, 1.0)
    books = Books(PRICE, PRICE, agreed=Agreement(100 * PRICE))  # type: ignore[arg-type]
    seen_by = type(witness)(
        witness.echo,
        witness.trouble,
        witness.newest_attempt,
        witness.newest_intent,
        witness.lag,
        books,
    )
    return settle(list(doubts), reading, set(known), seen_by, GRACE, lambda _: True)


AROUND = [own(1, -30), own(3, 60), own(4, 400)]


def test_what_stands_between_our_neighbours_is_ours() -> None:
    found = decide([doubt(2, 0)], ["a4", "a3", "u2", "a1"], AROUND)
    assert [(number, one.id) for number, one in found.adopt] == [(2, "u2")]


def test_what_was_made_much_later_is_not() -> None:
    """Above what we bought afterwards it is somebody else's; the doubt waits for a person."""
    found = decide([doubt(2, 0)], ["u2", "a4", "a3", "a1"], AROUND)
    assert (found.adopt, found.void) == ([], [])
    assert [one.id for one in found.contested[2]] == ["u2"]


def test_what_was_made_before_it_is_not() -> None:
    older = [own(1, -3_000), *AROUND[1:]]
    found = decide([doubt(2, 0)], ["a4", "a3", "a1", "u2"], older)
    assert found.adopt == []
    assert found.void == [2], "it is not in the list, which shows what was bought later"


def test_without_a_neighbour_above_it_the_first_sight_tells() -> None:
    below = [own(1, -30)]
    assert [n for n, _ in decide([doubt(2, 0)], ["u2", "a1"], below, shown_by=20).adopt] == [2]
    late = decide([doubt(2, 0)], ["u2", "a1"], below, shown_by=4_000)
    assert late.adopt == []
    assert 2 in late.contested, "it may have been made by hand since"


def test_without_a_neighbour_below_it_a_person_decides() -> None:
    found = decide([doubt(2, 0)], ["a3", "u2"], [own(3, 60)])
    assert found.adopt == []
    assert 2 in found.contested


def test_two_of_its_prompt_are_a_persons() -> None:
    found = decide([doubt(2, 0)], ["a4", "a3", "u2", "u5", "a1"], AROUND)
    assert found.adopt == []
    assert {one.id for one in found.contested[2]} == {"u2", "u5"}


def test_absence_is_proven_by_order_too() -> None:
    assert decide([doubt(2, 0)], ["a4", "a3", "a1"], AROUND).void == [2]


def test_what_hides_its_prompt_there_proves_nothing() -> None:
    found = decide([doubt(2, 0)], ["a4", "a3", "u2", "a1"], AROUND, hidden="u2")
    assert (found.adopt, found.void) == ([], [])
    assert found.unproven[2] == "the list has an entry that hides its prompt or its time"
    later = decide([doubt(5, 3_000)], ["a4", "a3", "u2", "a1"], AROUND, hidden="u2")
    assert "hides" not in later.unproven[5], "what is older than our newest can't be it"


def test_ours_in_another_order_settle_nothing() -> None:
    found = decide([doubt(2, 0)], ["a1", "u2", "a3", "a4"], AROUND)
    assert (found.adopt, found.void) == ([], [])
