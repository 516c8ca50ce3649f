"""Failures inside of an envelope, and in ordinary words: what is bought again, and what is not.

A provider that answers 200 puts what became of the *request* around the generation. That it went
well says nothing of the generation, and must neither hide a plain reason nor be one.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchsora.providers.runblob.models import looked_up
from jobs.model.retry import RETRIED
from jobs.model.states import FailureKind

ID = "8f14e45f-ceea-467f-a0e6-3c1c7f5b2a10"
FAILED = {"generation_id": ID, "status": "failed"}

# the provider's own fault in so many words: bought again by itself
AGAIN = (
    "internal error",
    "Internal server error.",
    "Sora is overloaded right now",
    "Sora is overloaded right now, please try again later",
    "Sora 2 is currently overloaded",
    "sora-2 is at capacity right now",
    "OpenAI's servers are overloaded",
    "The OpenAI API is overloaded",
    "Service temporarily unavailable, please try again",
    "This service is unavailable at the moment.",
    "Our service is down for maintenance; we'll be back soon",
    "We're experiencing high demand",
    "We\u2019re experiencing high demand right now. Please try again later.",
    "We are currently experiencing very high demand. Thank you for your patience!",
    "We're sorry, our servers are currently overloaded",
    "Oops! Internal server error",
    "Sorry, an internal error occurred on our side",
    "An internal error occurred on our end. Your credits have been refunded.",
    "Due to high demand, Sora is at capacity. Please try again in a few minutes.",
    "The upstream service is temporarily unavailable",
    "Upstream timeout",
    "The upstream provider timed out",
    "Generation timed out, please try again",
    "The video generation timed out after 600 seconds. Please retry.",
    "Internal error. You have not been charged.",
    "Internal error, you were not charged",
    "RunBlob is undergoing scheduled maintenance",
    "Server is busy, please try again later",
    "The server is too busy right now",
    "Our servers are experiencing heavy traffic at this time",
    "GPU workers are overloaded",
    "Sora is temporarily unavailable",
    "Sora 2 Pro is at capacity",
    "Your request timed out",
    "Your generation failed due to an internal error",
    "Your video could not be completed: the server is overloaded",
    "Processing of your task took too long",
    "The service is under maintenance and will be back soon",
    "The server is unavailable to process your request",
    "Internal error. Your credits will be refunded.",
)

# everything else is a person's
NOT_AGAIN = (
    "failed",
    "Generation failed",
    "success",
    "ok",
    "Please try again later",
    "Sora is right now rendering something else",
    "Sora is overloaded with unsafe content",
    "Sora is overloaded by this prompt",
    "Sora 3000 is overloaded",
    "overloaded: 2",
    "internal error 2",
    "We're experiencing high demand for people like this",
    "High demand: your plan has no priority",
    "You have no right: internal error",
    "Internal error: the rights to this are not ours",
    "Internal error. You were charged.",
    "Our end: high load, moderation",
    "Thank you for your report: internal error",
    "Service unavailable in this region right now",
    "Sora is unavailable for this prompt",
    "Service unavailable for you",
    "Sora 2 is currently unavailable to you",
    "Sora 2 is not for you: internal error",
    "Service unavailable for this account",
    "Service unavailable for minors",
    "Server busy checking your request against our rules",
    "The API key timed out",
    "API overloaded: insufficient credits",
    "Sora can't do that right now",
    "Sora won't do that, internal error",
    "Internal error, don't try again",
    "Never try again: internal error",
    "Request timed out: no longer supported",
    "\u7cfb\u7edf\u7e41\u5fd9",
    "success: internal error",
    "You could not be charged: internal error",
    "Could not be charged. Service unavailable.",
    "Your request timed out; it will complete later",
    "Timed out; the video will be created in a few minutes",
    "The server is busy: your generation will finish soon",
    "Your server timed out",
    "Request to your server timed out",
    "Your service is unavailable",
    "Your API is at capacity",
    "Your queue is at capacity",
    "Your time limit was reached",
    "Service unavailable for your request",
    "The service is temporarily unavailable to your API",
    "Service is unavailable for this video",
)

ENVELOPES: tuple[dict[str, Any], ...] = (
    {"code": 200, "msg": "success"},
    {"code": 0, "message": "SUCCEED", "request_id": "r-123456789"},
    {"code": "200", "message": "OK"},
    {"code": "success", "message": ""},
    {"success": True, "code": 200, "msg": "ok"},
    {"success": True, "error": None},
    {"ok": True, "status": 200},
    {"status": "success", "message": "success"},
    {"status_code": 200, "message": "Success", "trace_id": "t-123456789"},
    {"errcode": 0, "errmsg": "ok"},
    {"error_code": 0, "error_msg": "Success."},
    {"ret": 0, "msg": "successful", "timestamp": 1767355200},
)

# what an envelope may say besides, and makes it unknown
ODD: tuple[dict[str, Any], ...] = (
    {"code": 1301},
    {"code": 201},
    {"code": 400},
    {"code": -200},
    {"code": "2000"},
    {"code": True, "sub_code": 7},
    {"msg": "success?!\u26d4"},
    {"msg": "\u6210\u529f"},
    {"msg": "blocked"},
    {"msg": "success with warnings"},
    {"message": "not ok"},
    {"message": "success", "reason": "x17"},
    {"sub_code": 200},
    {"flagged": True},
    {"moderation": "success"},
    {"moderation_code": 200},
    {"reason": "success"},
    {"retryable": False},
    {"result": {"code": 200, "msg": "x17"}},
    {"result": {"msg": "success"}},
    {"status": "weird", "note": "ok"},
)


def kind(answer: dict[str, Any]) -> FailureKind | None:
    """Read a look at the one generation."""
    found = looked_up(answer, ID)
    assert found is not None
    return found.failure_kind


@pytest.mark.parametrize("reason", AGAIN)
def test_plain_words_of_the_providers_own_fault_are_bought_again(reason: str) -> None:
    """Bare, as a code's message, and inside of every envelope."""
    assert kind(FAILED | {"error": reason}) in RETRIED
    for around in ENVELOPES:
        assert kind(around | {"data": FAILED | {"error": reason}}) in RETRIED
        assert kind(around | {"data": {"task": FAILED | {"fail_reason": reason}}}) in RETRIED


@pytest.mark.parametrize("reason", NOT_AGAIN)
def test_everything_else_is_a_persons(reason: str) -> None:
    """An envelope that says that all went well changes nothing."""
    assert kind(FAILED | {"error": reason}) not in RETRIED
    for around in ENVELOPES:
        assert kind(around | {"data": FAILED | {"error": reason}}) not in RETRIED


@pytest.mark.parametrize("around", ENVELOPES)
def test_an_envelope_is_no_reason(around: dict[str, Any]) -> None:
    """No reason inside, or another one, is not made up for by what is outside."""
    assert kind(around | {"data": FAILED}) is FailureKind.UNKNOWN
    said = kind(around | {"data": FAILED | {"error": "blocked by moderation"}})
    assert said is FailureKind.CONTENT


def test_what_says_that_all_went_well_is_not_shown_as_the_reason() -> None:
    """A person reads why it failed."""
    found = looked_up({"code": 200, "msg": "success", "data": FAILED | {"error": "E17"}}, ID)
    assert found is not None
    assert found.error_message == "E17"


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("around", ENVELOPES[:4])
def test_an_envelope_that_says_more_is_not_understood(
    around: dict[str, Any], odd: dict[str, Any]
) -> None:
    """An unknown code, word, flag or field around it, whatever is inside."""
    inner = FAILED | {"error": "internal error"}
    assert kind(around | {"data": inner}) in RETRIED
    assert kind(around | odd | {"data": inner}) not in RETRIED


@pytest.mark.parametrize("beside", [{"code": 200}, {"msg": "success"}, {"message": "ok"}])
def test_inside_of_the_generation_such_words_are_its_own(beside: dict[str, Any]) -> None:
    """They describe the failure there, and nobody told us what a "success" means of one."""
    inner = FAILED | {"error": "internal error"}
    assert kind(inner | beside) is FailureKind.UNKNOWN
    assert kind({"code": 200, "data": inner | beside}) is FailureKind.UNKNOWN
    assert kind({"code": 200, "data": inner | {"error": beside | {"x": "internal error"}}}) is (
        FailureKind.UNKNOWN
    )


@pytest.mark.parametrize("name", ["rejected_at", "moderatedAt", "flagged_time", "banned_date"])
def test_a_time_at_which_it_was_judged_is_a_reason(name: str) -> None:
    """Where it is empty it was not judged; when it failed or erred is no reason."""
    inner = FAILED | {"error": "internal error", "failed_at": "2026-01-02T03:04:05Z"}
    assert kind(inner | {name: None}) in RETRIED
    assert kind(inner | {name: "2026-01-02T03:04:05Z"}) not in RETRIED
    assert kind({"code": 200, name: 1767323045, "data": inner}) not in RETRIED


@pytest.mark.parametrize("word", ["processing", "RUNNING", "queued", "in_progress", "pending"])
@pytest.mark.parametrize("name", ["status", "state", "task_status"])
def test_what_goes_on_around_a_failure_has_not_failed(word: str, name: str) -> None:
    """An API that tries again by itself: one of its tries failed, or another object is live."""
    inner = FAILED | {"error": "internal error"}
    for answer in (
        {name: word, "data": inner},
        {name: word, "data": {"task": inner}},
        {"code": 200, "data": inner, "generation": {"generation_id": ID, name: word}},
        {"code": 200, "data": {"task": inner, "job": {"id": ID, name: word}}},
    ):
        found = looked_up(answer, ID)
        assert found is not None
        assert found.status not in ("failed", "completed")
        assert found.failure_kind is None


@pytest.mark.parametrize(
    "beside",
    [
        {"status": "completed"},
        {"state": "done"},
        {"task": {"id": ID, "status": "completed"}},
        {"response": {"status": "succeeded"}},
        {"video": {"url": "https://cdn.example/v.mp4"}},
        {"result": {"video_url": "https://cdn.example/v.mp4"}},
    ],
)
def test_a_failure_beside_which_a_video_may_be_there_is_a_persons(beside: dict[str, Any]) -> None:
    """It may have been made all the same; nothing is bought again by itself."""
    inner = FAILED | {"error": "internal error"}
    assert kind({"code": 200, "data": inner}) in RETRIED
    assert kind({"code": 200, "data": inner} | beside) is FailureKind.UNKNOWN
    if "video" in beside:
        assert kind({"code": 200, "data": inner | beside}) is FailureKind.UNKNOWN
    blocked = {"code": 200, "data": FAILED | {"error": "blocked by moderation"}} | beside
    assert kind(blocked) is FailureKind.CONTENT


VALUES = st.one_of(
    st.just(value=True),
    st.integers().filter(lambda n: n not in (0, 200, 500, 502, 503, 504)),
    st.text(min_size=1).map("zq".__add__),
    st.sampled_from(["\u26d4", "\U0001f51e", "1301", "-200", "declined", "\u65e0", "success?no"]),
    st.lists(st.just("zq"), min_size=1),
    st.dictionaries(st.just("zq"), st.just("zq"), min_size=1),
)
NAMES = st.sampled_from(["code", "msg", "message", "errcode", "reason", "zq", "note", "blocked"])


@given(around=st.sampled_from(ENVELOPES), name=NAMES, value=VALUES, reason=st.sampled_from(AGAIN))
def test_nothing_unknown_around_a_failure_is_bought_again(
    around: dict[str, Any], name: str, value: Any, reason: str
) -> None:
    """Whatever its form, and whether it is around, inside, or in the reason itself."""
    inner = FAILED | {"error": reason}
    if not (value is True and name in ("code", "msg", "message", "errcode", "reason")):
        assert kind(around | {name: value} | {"data": inner}) not in RETRIED
        assert kind(around | {"data": inner | {name: value}}) not in RETRIED
    assert kind(around | {"data": FAILED | {"error": [reason, {"zq": value}]}}) not in RETRIED


@given(
    reason=st.sampled_from(AGAIN),
    at=st.integers(0, 30),
    word=st.text("abcdefghijklmnopqrstuvwxyz", max_size=8).map("zq".__add__)
    | st.sampled_from(
        ["unsafe", "flagged", "minors", "policy", "not", "no", "never", "prompt", "illegal", "13"]
    ),
)
def test_an_unknown_word_anywhere_keeps_it_from_being_bought_again(
    reason: str, at: int, word: str
) -> None:
    """Before, between and behind the words that we know."""
    words = reason.split()
    words.insert(min(at, len(words)), word)
    assert kind(FAILED | {"error": " ".join(words)}) not in RETRIED


def test_deep_envelopes_are_read_in_bounds() -> None:
    """An answer that wraps itself a thousand times breaks nothing."""
    answer: dict[str, Any] = FAILED | {"error": "internal error"}
    for _ in range(900):
        answer = {"code": 200, "data": answer}
    assert looked_up(json.loads(json.dumps(answer)), ID) is None


def test_the_tables_are_large_enough_to_mean_something() -> None:
    """As many that are not bought again as are."""
    assert min(len(set(AGAIN)), len(set(NOT_AGAIN))) >= 30
