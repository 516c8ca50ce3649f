from hypothesis import given
from hypothesis import strategies as st

from jobs.model.ledger import Budget, Scope, campaign_key, keys_of, without_room

AMOUNTS = st.integers(min_value=0, max_value=10**9)


@given(cap=AMOUNTS, charged=AMOUNTS, held=AMOUNTS, hold=AMOUNTS)
def test_a_hold_is_granted_exactly_when_it_fits(
    cap: int, charged: int, held: int, hold: int
) -> None:
    """Charged + held + hold ≤ cap is the whole rule."""
    full = without_room([Budget("batch:1", cap, charged, held)], hold)
    assert (full is None) == (charged + held + hold <= cap)


@given(hold=AMOUNTS)
def test_without_a_cap_everything_fits(hold: int) -> None:
    """No cap means no limit, not a limit of nothing."""
    assert without_room([Budget("batch:1", None, 10**12, 10**12)], hold) is None


def test_every_cap_must_have_room() -> None:
    """A full campaign stops a job although batch, day and account have room."""
    budgets = [Budget(key, 1_000_000, 0, 0) for key in keys_of(3, "summer", "2026-01-05")]
    assert without_room(budgets, 1_000_000) is None
    budgets[1].charged = 1
    full = without_room(budgets, 1_000_000)
    assert full is not None
    assert full.key == campaign_key(3, "summer")
    assert full.scope is Scope.CAMPAIGN


def test_a_campaign_may_be_named_like_anything() -> None:
    """A colon in a campaign's name does not make it another scope."""
    assert Budget(campaign_key(1, "a:b"), None, 0, 0).scope is Scope.CAMPAIGN
