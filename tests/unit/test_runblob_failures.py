import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchsora.runblob.failures import failure_kind
from batchsora.runblob.words import clean
from jobs.states import FailureKind


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Image contains photorealistic people", "image"),
        ("photo-realistic faces are not supported", "image"),
        ("We could not process the uploaded image", "image"),
        ("Invalid image", "image"),
        ("Failed to download image from URL", "image"),
        ("unsupported picture format", "image"),
        ("Your prompt violates our content policy", "content"),
        ("Blocked by moderation", "content"),
        ("MODERATION_BLOCKED: flagged", "content"),
        ("This content may violate our guardrails", "content"),
        ("similarity to third-party content", "content"),
        ("prompt rejected", "content"),
        ("moderation timed out", "content"),
        ("Generation timed out", "timeout"),
        ("Request timeout after 900s", "timeout"),
        ("time-out", "timeout"),
        ("The job took too long", "timeout"),
        ("Internal server error", "system"),
        ("Image generation service is busy", "system"),
        ("something imaginary", "system"),
        ("timeouting is no word", "system"),
        ("", "system"),
        (None, "system"),
    ],
)
def test_the_table(message: str | None, expected: str) -> None:
    """The provider's words decide whether the same is bought again by itself."""
    assert failure_kind(message) == expected


def test_words_that_point_both_ways_are_not_bought_again() -> None:
    """Content before timeout: only ``system`` and ``timeout`` are retried, for money."""
    assert failure_kind("timed out while checking the content policy") is FailureKind.CONTENT


@given(st.text())
def test_every_message_has_a_kind(message: str) -> None:
    """Nothing breaks the classification, and only provider's kinds come out of it."""
    kinds = {FailureKind.IMAGE, FailureKind.CONTENT, FailureKind.TIMEOUT, FailureKind.SYSTEM}
    assert failure_kind(message) in kinds


@given(st.text(), st.sampled_from(["", "tok-123"]))
def test_cleaned_words_are_harmless(text: str, secret: str) -> None:
    """What is shown is short, printable on any terminal, and without the secret."""
    shown = clean(f"{text}{secret}{text}", secret)
    assert len(shown) <= 300
    assert shown.encode().decode() == shown
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in shown)
    assert not secret or secret not in shown


def test_terminal_sequences_go_as_a_whole() -> None:
    """Not even their letters stay: titles, colours and links are gone."""
    assert clean("a\x1b[1;31mb\x1b]8;;http://x\x1b\\c\x9b2Jd\x1b]0;t\x07e") == "a b c d e"


@pytest.mark.parametrize("secret", ["a", "test", "tok-1"])
def test_what_is_too_short_to_be_a_secret_is_left_in(secret: str) -> None:
    """A token of a letter would be told by every gap, and hide from us why a video failed."""
    words = "your test prompt violates a content policy (tok-1)"
    assert clean(words, secret) == words
    assert clean(words, "content") == words.replace("content", "***")
