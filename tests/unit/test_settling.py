from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.evidence.account_list import Reading
from jobs.evidence.books import Agreement, Books, Money
from jobs.evidence.echo import Echo
from jobs.evidence.settling import PROOFS, Evidence, proof_of, settle
from jobs.evidence.suspects import AHEAD, ClockOffset, Settlement, Suspect, SuspectAttempt
from jobs.evidence.witness import Witness
from jobs.model.provider import Generation, GenerationPhase
from jobs.model.text import prompt_key

NOW = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
GRACE = timedelta(seconds=180)
MEASURED = ClockOffset(timedelta(seconds=-1), timedelta(seconds=1), known=True, measured=True)
HERON = "a heron in reeds"
PRICE = 120_000
AGREED = Agreement(100 * PRICE)
BEGAN = 400
"""When the list was read, in seconds."""


def books(fell: int, charged: int, **more: int) -> Books:
    """Two readings of a balance that has agreed with a hundred purchases."""
    return Books(fell, charged, agreed=AGREED, **more)  # type: ignore[arg-type]


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def doubt(number: int = 1, sent: float = 0, **changes: Any) -> Suspect:
    """A submission of a heron that took a second and ended in doubt."""
    fields = {
        "state": "in_doubt",
        "kind": "fake/sora/10",
        "prompt": HERON,
        "request_key": "f",
        "intent_at": at(sent),
        "sent_until": at(sent + 1),
        "price": 120_000,
    }
    row = fields | {k: v for k, v in changes.items() if k in SuspectAttempt.__dataclass_fields__}
    seen = {"key": prompt_key(HERON), "offset": MEASURED, "shown": changes.get("past_grace", False)}
    seen |= {k: v for k, v in changes.items() if k in Suspect.__dataclass_fields__}
    assert changes.keys() <= row.keys() | seen.keys()
    return Suspect(SuspectAttempt(id=number, **row), **seen)


def made(name: str, created: float | None, prompt: str | None = HERON) -> Generation:
    moment = None if created is None else at(created)
    return Generation(name, GenerationPhase.PENDING, prompt=prompt, created_at=moment)


def decide(
    suspects: Iterable[Suspect],
    *generations: Generation,
    known: Iterable[str] = (),
    witness: int = 0,
    whole: bool = True,
    stable: bool = True,
    began: float = BEGAN,
    **says: Any,
) -> Settlement:
    """Settle by a list that shows all that it must, with a known lag, and a balance that agrees."""
    reading = Reading("sora", generations, at(began), whole=whole, to_the_end=True)
    fields = {"newest_attempt": witness, "lag": 1.0, "books": books(PRICE, PRICE)}
    seen = Witness(**fields | says)
    return settle(list(suspects), reading, set(known), seen, GRACE, lambda _: stable)


def ids(pairs: Iterable[tuple[int, Generation]]) -> list[tuple[int, str]]:
    return [(number, generation.id) for number, generation in pairs]


def test_the_generation_of_its_prompt_and_time_is_adopted() -> None:
    """One doubt, one candidate: it is ours, however the prompt was echoed."""
    found = decide([doubt()], made("g", 0.5, "  a  heron in reeds\n"))
    assert ids(found.adopt) == [(1, "g")]
    assert not found.void
    assert not found.contested


@pytest.mark.parametrize("created", [-3600, -60, 182 + 60, 7200])
def test_what_was_made_at_another_time_is_not_adopted(created: float) -> None:
    """The same prompt outside the window is somebody else's work."""
    assert not decide([doubt()], made("g", created)).adopt


def test_a_late_acceptance_is_adopted() -> None:
    """The provider may create it as late as a grace after the connection broke."""
    assert ids(decide([doubt()], made("g", 170)).adopt) == [(1, "g")]


def test_what_is_an_attempts_already_is_no_candidate() -> None:
    """A job of ours with the same prompt has its own generation."""
    assert not decide([doubt()], made("g", 0.5), known={"g"}).adopt


def test_equal_counts_are_adopted_in_order_of_time() -> None:
    """Three doubts, three candidates of one prompt: first sent, first made."""
    doubts = [doubt(n, sent=n) for n in (1, 2, 3)]
    found = decide(doubts, made("c", 3.4), made("b", 2.4), made("a", 1.4))
    assert sorted(ids(found.adopt)) == [(1, "a"), (2, "b"), (3, "c")]


def test_fewer_candidates_than_doubts_are_adopted_and_the_rest_waits() -> None:
    """What is there is ours; the others stay in doubt, even when they are past_grace."""
    doubts = [doubt(n, sent=n, past_grace=True) for n in (1, 2, 3)]
    found = decide(doubts, made("a", 1.4), witness=9)
    assert len(found.adopt) == 1
    assert not found.void


def test_more_candidates_than_doubts_are_left_to_a_person() -> None:
    """Somebody else uses the account: nothing is adopted, the candidates are shown."""
    found = decide([doubt(past_grace=True)], made("b", 0.6), made("a", 0.5), witness=9)
    assert not found.adopt
    assert not found.void
    assert [g.id for g in found.contested[1]] == ["a", "b"]


def test_two_windows_of_one_prompt_are_counted_apart() -> None:
    """Two candidates in the first window are one too many, although there are two doubts."""
    found = decide([doubt(1), doubt(2, sent=5000)], made("b", 0.6), made("a", 0.5), began=5001)
    assert not found.adopt
    assert set(found.contested) == {1}


def test_an_equal_prompt_without_a_time_leaves_it_to_a_person() -> None:
    """One of both is ours, and which one the list hides."""
    found = decide([doubt(past_grace=True)], made("a", 0.5), made("b", None), witness=9)
    assert not found.adopt
    assert not found.void
    assert [g.id for g in found.contested[1]] == ["a", "b"]


def test_an_attempt_under_way_keeps_the_candidates_of_its_prompt() -> None:
    """Its answer may name the candidate a moment later."""
    found = decide([doubt(1), doubt(2, sent=2, state="open")], made("a", 0.5))
    assert not found.adopt


def test_different_parameters_are_never_taken_for_each_other() -> None:
    """A void and a doubt that share a prompt but not the duration: a person must look."""
    suspects = [doubt(1, state="void"), doubt(2, sent=5, request_key="g")]
    found = decide(suspects, made("a", 5.5), made("b", 5.6))
    assert not found.adopt
    assert set(found.contested) == {2}


def test_a_doubt_goes_before_a_void() -> None:
    """What was shown never to have been made does not compete for what there is."""
    suspects = [doubt(1, state="void"), doubt(2, sent=5, request_key="g")]
    assert ids(decide(suspects, made("a", 5.5)).adopt) == [(2, "a")]


def test_a_candidate_must_have_stood_as_long_as_the_list_may_lag() -> None:
    """What somebody else made shows first, ours a moment later: one look is not enough."""
    found = decide([doubt(past_grace=True)], made("a", 0.5), stable=False)
    assert not found.adopt
    assert not found.contested
    assert found.unstable == [1]


def test_absence_needs_the_grace_and_a_witness() -> None:
    """Never made: only after the grace, and when the list shows something newer of ours."""
    newer = made("w", 60, "another")
    assert decide([doubt(past_grace=True)], newer, known={"w"}, witness=2).void == [1]
    assert not decide([doubt(past_grace=False)], newer, known={"w"}, witness=2).void


def test_a_lone_doubt_waits_for_a_second_clean_look() -> None:
    """Without a later purchase the first clean look is noted, the second, a grace later, voids."""
    first = decide([doubt(past_grace=True)])
    assert first.clean == [1]
    assert not first.void
    assert "next purchase" in first.unproven[1]
    assert decide([doubt(past_grace=True, clean_before=True)]).void == [1]


YES, NO = True, False


@pytest.mark.parametrize(
    ("later_than_grace", "later", "lag_known", "clean_twice", "proves"),
    [
        (YES, YES, NO, NO, YES),  # what was sent a grace later is shown
        (NO, YES, YES, NO, YES),  # later, and the lag is known and has passed
        (NO, YES, NO, YES, NO),  # how late the list is was never seen
        (NO, NO, YES, YES, YES),  # nothing later: twice clean, past a known lag
        (NO, NO, YES, NO, NO),
        (NO, NO, NO, YES, NO),
        (NO, NO, NO, NO, NO),
    ],
)
def test_what_proves_that_a_doubt_was_never_made(
    *, later_than_grace: bool, later: bool, lag_known: bool, clean_twice: bool, proves: bool
) -> None:
    """One line of the table is enough, where a balance that moves agrees; without it none is."""
    facts = (later_than_grace, later, lag_known, clean_twice)
    assert (proof_of(Evidence(*facts, Money.CLEAR, money_moves=True)) is not None) is proves
    assert proof_of(Evidence(*facts, Money.CLEAR, money_moves=False)) is None
    assert proof_of(Evidence(*facts, Money.PASSING, money_moves=True)) is None
    assert proof_of(Evidence(*facts, Money.OPEN, money_moves=True)) is None
    assert len(PROOFS) == 3


@pytest.mark.parametrize(
    ("seen", "money"),
    [
        (books(fell=2 * PRICE, charged=2 * PRICE), Money.CLEAR),
        (books(fell=3 * PRICE, charged=2 * PRICE), Money.OPEN),  # one more was charged
        (books(fell=245_000, charged=240_000), Money.CLEAR),  # shown in whole cents
        (books(fell=260_000, charged=240_000), Money.OPEN),  # a discount for the doubt
        (books(fell=0, charged=2 * PRICE), Money.OPEN),  # it stands still
        (books(fell=-900_000, charged=240_000), Money.OPEN),  # money was paid in
        (books(fell=9_000_000, charged=240_000), Money.OPEN),  # who knows what for
        # something may have been given back, and the doubt was charged: it nets to nothing
        (books(fell=5 * PRICE, charged=5 * PRICE, loose=1), Money.OPEN),
        (books(fell=4 * PRICE, charged=5 * PRICE, loose=1), Money.OPEN),
        # the newest purchase may not be shown yet, and the doubt may have been charged instead
        (books(fell=5 * PRICE, charged=5 * PRICE, passing=1), Money.PASSING),
        (books(fell=4 * PRICE, charged=5 * PRICE, passing=1), Money.PASSING),
        (books(fell=6 * PRICE, charged=5 * PRICE, passing=1), Money.OPEN),
        (books(fell=5 * PRICE, charged=5 * PRICE, loose=1, passing=1), Money.OPEN),
        # one on its way may have been charged before its answer was read
        (books(fell=6 * PRICE, charged=5 * PRICE, under_way=PRICE), Money.PASSING),
        (books(fell=7 * PRICE, charged=5 * PRICE, under_way=PRICE), Money.OPEN),
        # money was paid in while much was not shown yet: no sum of both is a "no"
        (books(fell=1_360_000, charged=6_240_000, passing=41), Money.PASSING),
        (books(fell=1_360_000, charged=6_240_000), Money.OPEN),
    ],
)
def test_the_balance_is_the_second_witness(seen: Books, money: Money) -> None:
    """Nothing is void while the balance leaves room for it, whatever the list says."""
    found = decide([doubt(past_grace=True)], witness=9, books=seen)
    assert seen.verdict(PRICE) is money
    assert (found.void == [1]) is (money is Money.CLEAR)
    assert (found.passing == [1]) is (money is Money.PASSING)
    assert money is Money.CLEAR or "balance" in found.unproven[1]


@pytest.mark.parametrize("price", [0, 5_000, 20_000])
def test_a_price_that_rounding_hides_is_never_seen_missing(price: int) -> None:
    """Nor is one that nobody knows."""
    assert books(240_000, 240_000).verdict(price) is Money.OPEN


@pytest.mark.parametrize(
    ("agreed", "drift", "charged", "money"),
    [
        (0, 0, PRICE, Money.OPEN),  # it has never agreed: who knows what it falls by
        (PRICE, 0, 8 * PRICE, Money.CLEAR),
        (PRICE, 0, 9 * PRICE, Money.OPEN),  # a cent off each would make up for the doubt
        (10 * PRICE, 0, 98 * PRICE, Money.CLEAR),
        (10 * PRICE, 0, 99 * PRICE, Money.OPEN),
        (PRICE, -9_000, 4 * PRICE, Money.CLEAR),  # what was missing then is missing again
        (PRICE, -9_000, 5 * PRICE, Money.OPEN),
        (PRICE, 9_000, 50 * PRICE, Money.CLEAR),  # it fell by more: that hides nothing
    ],
)
def test_a_balance_proves_as_much_as_it_has_agreed_with(
    agreed: int, drift: int, charged: int, money: Money
) -> None:
    """A discount too small to be seen in a few purchases makes up for a doubt among many."""
    seen = Books(charged, charged, agreed=Agreement(agreed, drift))
    assert seen.verdict(PRICE) is money


def test_an_agreement_adds_up_until_a_reading_disagrees() -> None:
    """Each within the rounding, and all together."""
    agreed = Agreement().after(125_000, 120_000)
    assert agreed == Agreement(120_000, 5_000)
    assert agreed.after(125_000, 120_000) == Agreement(240_000, 10_000)
    assert agreed.after(126_000, 120_000) is None
    assert agreed.after(110_000, 120_000) == Agreement(240_000, -5_000)
    assert agreed.after(0, 0) == agreed


def test_the_balance_may_be_late_for_the_doubt_as_well() -> None:
    """It may have been made a grace late, and be charged in the balance a grace after that."""
    found = decide([doubt(past_grace=True, shown=False)], witness=9)
    assert not found.void
    assert found.passing == [1]


def test_a_balance_of_which_no_purchase_shows_that_it_moves_proves_nothing() -> None:
    """It may stand still: the next purchase tells."""
    found = decide([doubt(past_grace=True)], witness=9, books=books(0, 0))
    assert not found.void
    assert "next purchase" in found.unproven[1]


PURCHASES = st.lists(st.integers(20_001, 500_000), max_size=6)


@given(charged=PURCHASES, price=st.integers(20_001, 500_000), data=st.data())
def test_no_combination_of_late_and_refunded_hides_a_charged_doubt(
    charged: list[int], price: int, data: st.DataObject
) -> None:
    """Whichever of the purchases are unseen or given back: a doubt that was charged is not void."""
    whats = [data.draw(st.sampled_from(["plain", "loose", "passing"])) for _ in charged]
    gone = [data.draw(st.booleans()) and what != "plain" for what in whats]
    paid_in = data.draw(st.integers(0, 5_000_000)) if any(gone) else 0
    fell = price - paid_in
    fell += sum(one for one, back in zip(charged, gone, strict=True) if not back)
    seen = books(fell, sum(charged), loose=whats.count("loose"), passing=whats.count("passing"))
    assert seen.verdict(price) is not Money.CLEAR


@given(
    quiet=st.lists(PURCHASES, max_size=8),
    since=PURCHASES,
    price=st.integers(1, 500_000),
    share=st.fractions(0, 1, max_denominator=200),
    start=st.integers(0, 9_999),
    cents=st.booleans(),
    data=st.data(),
)
def test_no_discount_hides_a_charged_doubt(
    quiet: list[list[int]],
    since: list[int],
    price: int,
    share: Fraction,
    start: int,
    cents: bool,  # noqa: FBT001 - Hypothesis passes by position
    data: st.DataObject,
) -> None:
    """Whatever share of the prices it falls by, in whole cents or not, and whatever was agreed.

    Where there is a sum that makes up for the doubt, it is tried.
    """
    balance = Fraction(10**9 + start)
    before: Agreement | None = Agreement()

    def shown(micros: Fraction) -> int:
        return int(micros) // 10_000 * 10_000 if cents else int(micros)

    for bought in quiet:
        old, balance = shown(balance), balance - share * sum(bought)
        before = (before or Agreement()).after(old - shown(balance), sum(bought))
    if share < 1 and data.draw(st.booleans()):
        since = [*since, max(int(share * price / (1 - share)) - sum(since), 0)]
    old, balance = shown(balance), balance - share * (sum(since) + price)
    seen = Books(old - shown(balance), sum(since), agreed=before or Agreement())
    assert seen.verdict(price) is not Money.CLEAR


@pytest.mark.parametrize(
    ("books", "why"),
    [
        (Books(2 * PRICE, PRICE, agreed=AGREED), "fell by more"),
        (Books(0, PRICE, agreed=AGREED), "fell by less"),
        (Books(PRICE, PRICE), "too few purchases"),
        (Books(PRICE, PRICE, 1, agreed=AGREED, why_loose="a video failed"), "a video failed"),
        (None, "no earlier reading"),
    ],
)
def test_people_are_told_what_the_balance_lacks(books: Books | None, why: str) -> None:
    """Each reason is its own: none is said that is not so."""
    assert why in decide([doubt(past_grace=True)], witness=9, books=books).unproven[1]


MOVES = ("buy", "fail", "refused and charged", "wrongly called never made", "pay in", "give back")


@given(st.lists(st.tuples(st.sampled_from(MOVES), st.booleans()), max_size=14), st.data())
def test_no_movement_between_quiet_readings_hides_a_charged_doubt(
    moves: list[tuple[str, bool]], data: st.DataObject
) -> None:
    """What was charged is given back, or money is paid in, between any quiet readings of a night.

    The books are kept as the database keeps them: a reading that does not agree, a failure since
    the one before, and a person's word make them loose.
    """
    balance = quiet = 100 * PRICE
    charged = mark = 0
    agreed, owed, word, unsteady, failed, paid = AGREED, 0, False, False, False, False
    for move, read in moves:
        paid = paid or move == "pay in"
        if move in ("buy", "fail"):
            balance, charged = balance - PRICE, charged + PRICE
            failed, owed = failed or move == "fail", owed + (move == "fail")
        elif move == "pay in":
            balance += data.draw(st.sampled_from([PRICE, 3 * PRICE, 5_000_000]))
        elif move == "give back":
            balance, owed = balance + PRICE * (owed > 0), max(owed - 1, 0)
        else:
            balance, owed = balance - PRICE, owed + 1
            word = word or move.startswith("wrongly")
        if read:
            after = agreed.after(quiet - balance, charged - mark)
            if after is not None and paid and owed:
                return  # two movements that net to nothing look like none (docs/money.md)
            paid = False
            unsteady = unsteady or failed or after is None
            agreed, failed = after or Agreement(), False
            quiet, mark = balance, charged
        elif move == "pay in":
            return  # while a doubt waits only the account's owner knows of it (docs/promises.md)
    given_back = data.draw(st.integers(0, owed)) * PRICE
    seen = Books(
        fell=quiet - balance + PRICE - given_back,
        charged=charged - mark,
        loose=unsteady + failed + word,
        agreed=agreed,
    )
    assert seen.verdict(PRICE) is not Money.CLEAR


def test_without_a_balance_nothing_is_void() -> None:
    """A second witness that can't be heard agrees with nothing."""
    assert not decide([doubt(past_grace=True)], witness=9, books=None).void


def test_a_list_that_is_no_witness_voids_nothing() -> None:
    """What it must show is missing or altered: the doubt stays, and says why."""
    found = decide([doubt(past_grace=True)], witness=9, trouble="the list does not show g7")
    assert not found.void
    assert found.unproven == {1: "the list does not show g7"}


def test_prompts_that_a_list_cuts_are_matched_as_it_cuts_them() -> None:
    """The alteration that known generations reveal is applied to the doubt as well."""
    echo = Echo(cut=10)
    lost = doubt(key=echo.key(HERON))
    assert ids(decide([lost], made("g", 0.5, HERON[:10]), echo=echo).adopt) == [(1, "g")]


def test_prompts_that_a_list_rewrites_are_left_to_a_person() -> None:
    """Whatever was made in its time may be it; nothing is adopted, nothing is void."""
    shown = (made("a", 0.5, "Cinematic bird"), made("b", 4000, "Another"))
    found = decide(
        [doubt(past_grace=True)], *shown, echo=None, trouble="in other words", began=9000
    )
    assert not found.adopt
    assert not found.void
    assert [g.id for g in found.contested[1]] == ["a"]


@pytest.mark.parametrize("shown", [HERON.upper(), "a heron in", "A heron, in reeds!"])
def test_an_alteration_that_nobody_has_seen_yet_blocks_a_void(shown: str) -> None:
    """Only long prompts are cut: the known short ones do not tell; the likeness does."""
    found = decide([doubt(past_grace=True)], made("g", 0.5, shown), witness=9)
    assert not found.void
    assert [g.id for g in found.contested[1]] == ["g"]


def test_an_older_witness_proves_nothing() -> None:
    """What was sent before the doubt says nothing of how far the list has come."""
    older = made("w", -60, "another")
    assert not decide([doubt(5, past_grace=True)], older, known={"w"}, witness=4).void


@pytest.mark.parametrize(
    ("entry", "blocks"),
    [
        (made("x", 0.7, None), True),
        (made("x", None), True),
        (made("x", -1_000_000, None), False),
    ],
)
def test_an_entry_that_hides_what_it_is_blocks_a_void(entry: Generation, *, blocks: bool) -> None:
    """It may be the one that is looked for, unless it is too old."""
    found = decide([doubt(past_grace=True)], entry, witness=9)
    assert (not found.void) == blocks


def test_a_candidate_just_outside_its_window_blocks_a_void() -> None:
    """The clocks may have been worse than measured: then a person is shown what there is."""
    found = decide([doubt(past_grace=True)], made("g", 500), witness=9, began=900)
    assert not found.void
    assert [g.id for g in found.contested[1]] == ["g"]


def test_a_reading_with_a_gap_proves_no_absence() -> None:
    """Whatever did not fit together may have hidden the one that is looked for."""
    assert not decide([doubt(past_grace=True)], witness=9, whole=False).void


def test_an_intent_from_a_clock_that_was_set_back_is_never_voided() -> None:
    """Its times mean nothing any more: what lies in the future can't be shown absent."""
    lost = doubt(sent=86_400, past_grace=True, clean_before=True, clock_skewed=True)
    found = decide([lost], witness=9)
    assert not found.void
    assert not found.clean


def test_what_an_intent_from_a_wrong_clock_may_have_made_is_nobody_elses() -> None:
    """An earlier void of the same prompt does not take it: a person says whose it is."""
    void = doubt(1, state="void", replaced_at=at(86_400))
    lost = doubt(2, sent=86_400, past_grace=True, clock_skewed=True)
    found = decide([void, lost], made("g", 100))
    assert not found.appeared
    assert not found.adopt
    assert [g.id for g in found.contested[2]] == ["g"]


def test_a_clock_that_is_wrong_is_measured() -> None:
    """The provider's clock is five hours behind: the window moves with it."""
    behind = ClockOffset(timedelta(hours=-5), timedelta(hours=-5), known=True, measured=True)
    found = decide([doubt(offset=behind)], made("g", 0.5 - 5 * 3600))
    assert ids(found.adopt) == [(1, "g")]
    assert not decide([doubt(offset=behind)], made("g", 0.5)).adopt


def test_a_void_that_turns_up_is_told() -> None:
    """What was shown absent and is there after all must not be overlooked."""
    found = decide([doubt(state="void")], made("g", 0.5))
    assert ids(found.appeared) == [(1, "g")]


TIMES = st.integers(-400, 1200)
SUSPECTS = st.lists(
    st.tuples(TIMES, st.sampled_from(["open", "in_doubt", "void"]), st.booleans(), st.booleans()),
    max_size=5,
)
GENERATIONS = st.lists(
    st.tuples(st.none() | TIMES, st.sampled_from([HERON, "other", None]), st.booleans()),
    max_size=6,
)


@given(SUSPECTS, GENERATIONS, st.booleans(), st.booleans(), st.integers(0, 6))
def test_whatever_the_list_shows(
    suspects: list[tuple[int, str, bool, bool]],
    generations: list[tuple[int | None, str | None, bool]],
    whole: bool,  # noqa: FBT001 - Hypothesis passes by position
    stable: bool,  # noqa: FBT001 - the same
    witness: int,
) -> None:
    """Each generation goes to one attempt, each doubt has one fate, and no void without proof."""
    ours = [
        doubt(
            n, sent=sent, state=state, past_grace=past_grace, clean_before=clean,
            clock_skewed=at(sent) > at(BEGAN) + AHEAD,
        )
        for n, (sent, state, past_grace, clean) in enumerate(suspects, 1)
    ]  # fmt: skip
    shown = [made(f"g{n}", created, prompt) for n, (created, prompt, _) in enumerate(generations)]
    known = {f"g{n}" for n, (_, _, one) in enumerate(generations) if one}
    found = decide(ours, *shown, known=known, witness=witness, whole=whole, stable=stable)
    by_id = {suspect.attempt.id: suspect for suspect in ours}
    given_away = [generation for _, generation in [*found.adopt, *found.appeared]]
    assert len({g.id for g in given_away}) == len(given_away)
    assert not {g.id for g in given_away} & known
    fates = [n for n, _ in found.adopt] + found.void + found.clean + list(found.contested)
    assert len(set(fates)) == len(fates)
    for number, generation in [*found.adopt, *found.appeared]:
        assert generation.created is not None
        assert generation.prompt == HERON
        assert by_id[number].fits(generation.created, GRACE)
    for number in found.void:
        suspect = by_id[number]
        assert whole
        assert suspect.attempt.state == "in_doubt"
        assert suspect.past_grace
        assert not suspect.clock_skewed
        assert witness > number or suspect.clean_before
        assert number not in found.unproven
        for generation in shown:
            hidden = generation.created_at is None or (
                generation.created_at >= suspect.wide_from and generation.prompt in (None, HERON)
            )
            assert generation.id in known or not hidden
