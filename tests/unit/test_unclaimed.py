"""What was bought before and no row has claimed: the finished first, then the oldest."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from jobs.store.past import Paid, Unclaimed

START = datetime(2026, 1, 1, tzinfo=UTC)
TIMES = st.integers(0, 9).map(lambda minutes: START + timedelta(minutes=minutes))
BOUGHT = st.lists(st.tuples(TIMES, st.booleans()), max_size=12)
WANTED = st.lists(st.none() | TIMES, max_size=12)


@given(bought=BOUGHT, wanted=WANTED)
def test_each_row_claims_the_oldest_that_was_not_known_when_a_person_spoke(
    bought: list[tuple[datetime, bool]], wanted: list[datetime | None]
) -> None:
    """As if all that are left were compared, one by one; a row that claims none leaves one out."""
    every = [
        Paid(n, f"g{n}", "night", at, "http://x/v" if done else None, filed=False)
        for n, (at, done) in enumerate(bought)
    ]
    unclaimed = Unclaimed(every)
    left = sorted(every, key=lambda paid: (paid.video_url is None, paid.at, paid.attempt_id))
    for since in wanted:
        expected = next((paid for paid in left if since is None or paid.at > since), None)
        assert unclaimed.claim(since) == expected
        if expected is not None:
            left.remove(expected)
        else:
            unclaimed.drop()
            del left[:1]
