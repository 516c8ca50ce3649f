"""What is kept in the database for people: a text for each fact."""

from datetime import UTC, datetime

import pytest

from batchsora.presentation.kept_words import LONGEST, KeptWords
from jobs.model.states import UNENDED, Reason
from jobs.model.words import Pause

WORDS = KeptWords()


@pytest.mark.parametrize("kind", UNENDED)
def test_each_end_of_patience_has_words(kind: str) -> None:
    """They say how long it was waited for, and that it is paid."""
    for said in (None, "dreaming"):
        text = WORDS.given_up(kind, 30.0, said)  # type: ignore[arg-type]
        assert "30 minutes" in text
        assert "it is paid" in text


def test_long_words_of_the_provider_are_cut() -> None:
    """They stand beside a bar."""
    text = WORDS.paused(Pause(datetime(2026, 1, 1, tzinfo=UTC), "x" * 500))
    assert text.count("x") == LONGEST
    assert text.startswith("the API until ")
    assert text.endswith("…)")


def test_only_some_ends_of_a_run_leave_batches_waiting() -> None:
    """What a person stopped waits for nothing."""
    assert WORDS.after(Reason.ACCOUNT, "suspended") == "the account (suspended)"
    assert WORDS.after(Reason.INTERRUPTED, "") is None
