import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchsora.providers.runblob.failures import failure_kind
from batchsora.providers.runblob.models import info
from batchsora.providers.runblob.reasons import LONGEST, MOST, UNREAD, pieces, spelled
from batchsora.providers.runblob.words import clean
from jobs.model.retry import RETRIED
from jobs.model.states import FailureKind

# Taken from public references and reports of Sora, Veo, Kling, Runway, Replicate, fal and their
# resellers, among them this provider's own error pages (docs.runblob.io).
TABLE: tuple[tuple[str, str], ...] = (
    # the start image
    ("image", "Image contains photorealistic people"),
    ("image", "photo-realistic faces are not supported"),
    ("image", "We could not process the uploaded image"),
    ("image", "Invalid image"),
    ("image", "Failed to download image from URL"),
    ("image", "unsupported picture format"),
    ("image", "INVALID_IMAGE"),
    ("image", "IMAGE_TOO_LARGE"),
    ("image", "UNSUPPORTED_IMAGE_FORMAT"),
    ("image", "IMAGE_INACCESSIBLE"),
    ("image", "TOO_MANY_IMAGES"),
    ("image", "PROMINENT_PEOPLE_UPLOAD"),
    ("image", "PHOTOREAL_UPLOAD"),
    ("image", "PUBLIC_ERROR_PROMINENT_PEOPLE_UPLOAD"),
    ("image", "image_load_error"),
    ("image", "image_processing_error"),
    ("image", "image_dimension_mismatch"),
    ("image", "imageTooSmall"),
    ("image", "InvalidImageUrl"),
    ("image", "face detected in image"),
    ("image", "celebrity detected in image"),
    ("image", "The photo is corrupted"),
    # moderation and policies
    ("content", "Your prompt violates our content policy"),
    ("content", "Blocked by moderation"),
    ("content", "MODERATION_BLOCKED: flagged"),
    ("content", "This content may violate our guardrails"),
    ("content", "This content may violate our guardrails around similarity to third-party content"),
    ("content", "similarity to third-party content"),
    ("content", "prompt rejected"),
    ("content", "moderation timed out"),
    ("content", "UNSAFE_CONTENT"),
    ("content", "MODERATION_FAILED"),
    ("content", "NON_ENGLISH_PROMPT"),
    ("content", "content_policy_violation"),
    ("content", "moderation_blocked"),
    ("content", "inputModerationFailed"),
    ("content", "output_moderation"),
    ("content", "SAFETY.INPUT.TEXT"),
    ("content", "SAFETY.OUTPUT.VIDEO"),
    ("content", "PROHIBITED_CONTENT"),
    ("content", "CONTENT_FILTER"),
    ("content", "content-filtered"),
    ("content", "PUBLIC_ERROR_UNSAFE_GENERATION"),
    ("content", "PUBLIC_ERROR_AUDIO_FILTERED"),
    ("content", "PUBLIC_ERROR_SEXUAL"),
    ("content", "OutputVideoSensitiveContentDetected"),
    ("content", "InputTextSensitiveContentDetected"),
    ("content", "The output video may contain sensitive information. Request id: 0217882536596960"),
    ("content", "Failure to pass the risk control system"),
    ("content", "Prediction failed: NSFW content detected. Try running it again."),
    ("content", "The input or output was flagged as sensitive. Please try again (E005)"),
    (
        "content",
        "Veo could not generate 1 videos. Try rephrasing the prompt. Support codes: 42237218",
    ),
    ("content", "violates Vertex AI's usage guidelines. Support codes: 15236754"),
    ("content", "The content was flagged by a content checker."),
    ("content", "The system detected nudity"),
    ("content", "Google interrupted generation after detecting unacceptable content"),
    ("content", "Contains a public figure"),
    ("content", "real people are not permitted"),
    ("content", "Internal error: content policy"),
    ("content", "server error while checking safety"),
    ("content", "timed out while checking the content policy"),
    ("content", "403 Forbidden"),
    ("content", "SELF_HARM"),
    ("content", "copyright"),
    # the provider's own time-out, in so many words
    ("timeout", "Generation timed out"),
    ("timeout", "Request timeout after 900s"),
    ("timeout", "Request timed out"),
    ("timeout", "time-out"),
    ("timeout", "TIMEOUT"),
    ("timeout", "Timeout"),
    ("timeout", "generation_timeout"),
    ("timeout", "request_timeout"),
    ("timeout", "GENERATION_TIMED_OUT"),
    ("timeout", "GatewayTimeout"),
    ("timeout", "504 Gateway Time-out"),
    ("timeout", "DEADLINE_EXCEEDED"),
    ("timeout", "deadline exceeded"),
    ("timeout", "The job took too long"),
    ("timeout", "Task exceeded maximum processing time (10 minutes)"),
    ("timeout", "The time limit was exceeded"),
    ("timeout", "The task timed out on the server. Please try again later."),
    ("timeout", "Video generation timed out. Credits have been refunded"),
    # the provider's own error, overload, maintenance, in so many words
    ("system", "Internal error while rendering the video"),
    ("system", "Internal server error"),
    ("system", "500 Internal Server Error"),
    ("system", "internal_error"),
    ("system", "INTERNAL_ERROR"),
    ("system", "internalServerError"),
    ("system", "INTERNAL"),
    ("system", "INTERNAL: Internal error encountered."),
    ("system", "server_error"),
    ("system", "system-error"),
    ("system", "Rendering failed due to an internal error"),
    ("system", "The video could not be generated because of an internal error. Please try again."),
    ("system", "An internal error occurred. Please try again later."),
    ("system", "SERVICE_UNAVAILABLE"),
    ("system", "The service is currently unavailable."),
    ("system", "Service temporarily unavailable"),
    ("system", "503 Service Unavailable"),
    ("system", "server overloaded"),
    ("system", "The model is overloaded. Please try again later."),
    ("system", "The engine is currently overloaded"),
    ("system", "Sora is currently experiencing heavy load"),
    ("system", "We are experiencing high demand, please try again in a few minutes"),
    ("system", "high load"),
    ("system", "The system is at capacity"),
    ("system", "The service is busy"),
    ("system", "MAINTENANCE"),
    ("system", "Service is temporarily unavailable for maintenance"),
    ("system", "The system is under maintenance"),
    ("system", "scheduled maintenance"),
    ("system", "502 Bad Gateway"),
    # not understood, or about the account, or the request: never bought again by itself
    ("unknown", ""),
    ("unknown", "   "),
    ("unknown", "failed"),
    ("unknown", "FAILED"),
    ("unknown", "error"),
    ("unknown", "TASK_FAILED"),
    ("unknown", "GOOGLE_DECLINED"),
    ("unknown", "generation_failed"),
    ("unknown", "generation_failed_no_content"),
    ("unknown", "unknown_error"),
    ("unknown", "An unexpected error occurred"),
    ("unknown", "Something went wrong. Please try again later."),
    ("unknown", "Please try again later"),
    ("unknown", "Hmmm something didn't look right with your request. Please try again later"),
    ("unknown", "sentinel_block"),
    ("unknown", "INTERNAL.BAD_OUTPUT.CODE01"),
    ("unknown", "INPUT_PREPROCESSING.INTERNAL"),
    ("unknown", "PUBLIC_ERROR_MINOR"),
    ("unknown", "RECITATION"),
    ("unknown", "Prediction interrupted; please retry (code: PA)"),
    ("unknown", "E1001"),
    ("unknown", "1303"),
    ("unknown", "500"),
    ("unknown", "RESOURCE_EXHAUSTED"),
    ("unknown", "INSUFFICIENT_CREDITS"),
    ("unknown", "quota_exceeded"),
    ("unknown", "Internal error: insufficient balance"),
    ("unknown", "server error: your account is suspended"),
    ("unknown", "rate limit: server busy"),
    ("unknown", "Request limit exceeded, the service is busy"),
    ("unknown", "service unavailable in your country"),
    ("unknown", "Service unavailable for your plan, please upgrade"),
    ("unknown", "internal error: this prompt can't be rendered"),
    ("unknown", "Internal server error; do not retry"),
    ("unknown", "this is not a server error"),
    ("unknown", "INVALID_ARGUMENT"),
    ("unknown", "invalid timeout parameter"),
    ("unknown", "The callback timed out"),
    ("unknown", "Image generation service is busy"),
    ("unknown", "internal error E005"),
    ("unknown", "something imaginary"),
    ("unknown", "timeouting is no word"),
    ("unknown", 'Failed: "a night of server maintenance in Tokyo"'),
    ("unknown", "CUDA out of memory"),
    ("unknown", "\u5185\u90e8\u9519\u8bef"),
    ("unknown", "\u5185\u5bb9\u8fdd\u89c4\uff0c\u751f\u6210\u5931\u8d25"),
    ("unknown", "\u89c6\u9891\u751f\u6210\u5931\u8d25: \u89c6\u9891URL\u4e3a\u7a7a"),
    ("unknown", "\u7cfb\u7edf\u7e41\u5fd9 internal error"),
    ("unknown", "\u30b3\u30f3\u30c6\u30f3\u30c4\u304c\u30dd\u30ea\u30b7\u30fc\u306b\u9055\u53cd"),
    ("unknown", "Der Inhalt verst\u00f6\u00dft gegen die Richtlinien"),
    ("unknown", "Interner Serverfehler"),
    ("unknown", "Interner Fehler (server error)"),
    ("unknown", "El contenido infringe nuestras normas: server error"),
    (
        "unknown",
        ("unknown", "\u041e\u0448\u0438\u0431\u043a\u0430: server error"),
    ),
    ("unknown", "Le contenu a \u00e9t\u00e9 refus\u00e9, timeout"),
)

# a document, and what its reason means
DOCUMENTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("unknown", {}),
    ("unknown", {"error_message": None}),
    ("unknown", {"error": {}}),
    ("unknown", {"error": []}),
    ("unknown", {"error": {"code": 500}}),
    ("unknown", {"code": 0, "message": "success"}),
    ("unknown", {"prompt": "an internal error occurred", "note": "server error"}),
    ("content", {"error": {"code": "UNSAFE_CONTENT", "message": "Internal server error"}}),
    ("content", {"error": "internal error", "failure_reason": "moderation_blocked"}),
    ("content", {"error": '{"error": {"code": "moderation_blocked", "message": "server error"}}'}),
    ("content", {"error": [{"type": "content_policy_violation", "msg": "flagged"}]}),
    ("content", {"raiMediaFilteredReasons": ["blocked: usage guidelines"]}),
    ("content", {"failureCode": "SAFETY.INPUT.TEXT", "failure": "timed out"}),
    ("image", {"detail": [{"loc": ["body", "image_url"], "type": "image_load_error"}]}),
    ("image", {"message": "INVALID_IMAGE"}),
    ("system", {"error": {"code": "server_error", "message": "Internal error", "param": None}}),
    ("system", {"fail_reason": "INTERNAL"}),
    ("system", {"error": {"code": "INTERNAL", "status": 500, "request_id": "req-a-prompt"}}),
    ("system", {"task_status_msg": "The service is temporarily unavailable"}),
    ("system", {"status_message": "server overloaded", "code": 503}),
    ("timeout", {"error_type": "request_timeout", "detail": "Request timed out"}),
    ("timeout", {"reason": ["TIMEOUT"]}),
    ("unknown", {"error": {"code": "server_error", "message": "Nope", "param": None}}),
    ("unknown", {"error": {"code": "server_error", "input": "a prompt of mine"}}),
    ("unknown", {"error": "internal error", "message": "\u5185\u5bb9\u8fdd\u89c4"}),
    ("unknown", {"error": '{"code": "internal_error"'}),
)

# what the provider may say beside "Internal error" that nobody told us the meaning of
BESIDE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("unknown", {"code": 1301}),
    ("unknown", {"code": "1301"}),
    ("unknown", {"code": "400"}),
    ("unknown", {"code": 400}),
    ("unknown", {"code": 13}),
    ("unknown", {"code": -500}),
    ("unknown", {"code": "-500"}),
    ("unknown", {"code": 500.5}),
    ("unknown", {"error_code": 451}),
    ("unknown", {"errorCode": "451"}),
    ("unknown", {"error_subcode": 33}),
    ("unknown", {"error_subcode": 500}),
    ("unknown", {"sub_code": "SYSTEM"}),
    ("unknown", {"message": "code 1301"}),
    ("unknown", {"message": "error 1301"}),
    ("unknown", {"message": "\u0665\u0660\u0660"}),
    ("unknown", {"moderation_status": "rejected"}),
    ("unknown", {"moderation_status": "failed"}),
    ("unknown", {"moderation_status": 2}),
    ("content", {"moderation_status": "blocked"}),
    ("content", {"moderation_status": "unsafe"}),
    ("content", {"flagged": True}),
    ("content", {"nsfw": True}),
    ("content", {"is_nsfw": True}),
    ("content", {"contentFiltered": True}),
    ("content", {"moderation": {"sexual": True, "hate": False}}),
    ("content", {"categories": [{"violence": True}]}),
    ("unknown", {"quarantined": True}),
    ("unknown", {"error_system": True}),
    ("unknown", {"is_safe": False}),
    ("unknown", {"result": {"passed": False}}),
    ("content", {"not_allowed": True}),
    ("unknown", {"result": {"reason": "weapons"}}),
    ("content", {"result": {"reason": "sexual content"}}),
    ("content", {"result": {"status": "blocked"}}),
    ("unknown", {"output": {"state": "withheld"}}),
    ("content", {"response": {"raiMediaFilteredReasons": ["Unsafe words"]}}),
    ("unknown", {"response": {"raiMediaFilteredCount": 1}}),
    ("unknown", {"response": {"candidates": [{"finishReason": "RECITATION"}]}}),
    ("unknown", {"error": {"message": "Internal error", "param": "video"}}),
    ("unknown", {"error": {"message": "Internal error", "score": 0.98}}),
    ("unknown", {"error": {"message": "Internal error", "time": 503, "weight": 500}}),
    ("unknown", {"error": {"id": "GOOGLE_DECLINED"}}),
    ("unknown", {"error": {"id": {"reason": "declined"}}}),
    ("unknown", {"error_name": "Declined"}),
    ("unknown", {"message": "\u26d4"}),
    ("unknown", {"message": "Internal error \U0001f51e"}),
    ("unknown", {"message": "\u2764\ufe0f internal error"}),
    ("unknown", {"message": "\ue000"}),
    ("unknown", {"message": "\u2212500"}),
    # understood, or no more than a description
    ("system", {"code": 500}),
    ("system", {"code": "503", "status_code": 502}),
    ("system", {"error_code": 0, "error_subcode": None, "flagged": False, "nsfw": False}),
    ("system", {"moderation_status": None, "result": None, "response": {}, "is_safe": True}),
    ("system", {"success": False, "retryable": True, "refunded": True}),
    ("system", {"message": "Internal error \u2026 please try again in 30 seconds"}),
    ("system", {"message": "Internal error \u2013 we couldn\u2019t finish your video"}),
    ("system", {"error": {"request_id": "req_451", "timestamp": 1767355200, "id": "req-12345678"}}),
    ("system", {"id": 451, "prompt": "nsfw, 1301, \u26d4", "revised_prompt": "blocked"}),
    ("system", {"video_url": None, "thumbnail_urls": ["https://x.example/451"], "failed_at": "x"}),
    ("system", {"created_at": "2026-01-02", "completed_at": 1767355200, "price": "0.12"}),
    ("system", {"model": "sora-2", "duration": 10, "progress_pct": 40, "progress": "40 %"}),
    ("system", {"progress_pos_in_queue": 3, "orientation": "9:16", "aspect_ratio": "16:9"}),
    ("content", {"input": {"prompt": "nsfw", "moderation": True}, "seed": 42, "quality": "hd"}),
    ("system", {"width": 1280, "height": 720, "resolution": "720p", "default_codec": "h264"}),
    ("unknown", {"country_code": "US", "preview": "x", "banner": "y", "user": {"name": "bob"}}),
)
SCALARS = st.one_of(
    st.just(value=True),
    st.integers().filter(lambda n: n not in (0, 500, 502, 503, 504)),
    st.floats(allow_nan=False).filter(bool),
    st.text(min_size=1).map("zq".__add__),
    st.sampled_from(["\u26d4", "\U0001f51e", "1301", "-500", "451", "declined", "\u65e0"]),
)
PLACES: tuple[Callable[[str, Any], dict[str, Any]], ...] = (
    lambda name, value: {"error": {"message": "Internal error", name: value}},
    lambda name, value: {"error_message": "Internal error", "error": {"details": [{name: value}]}},
    lambda name, value: {"error": "Internal error", "failure_reason": {"inner": {name: value}}},
    lambda name, value: {"error": json.dumps({"code": "INTERNAL", name: value})},
    lambda name, value: {"message": "timed out", "result": {"error": {name: value}}},
    lambda name, value: {"message": "timed out", f"error_{name}": value},
    lambda name, value: {"message": "timed out", "data": {"reason": {name: value}}},
)


@pytest.mark.parametrize(("expected", "reason"), TABLE)
def test_the_table_of_reasons(expected: str, reason: str) -> None:
    """The provider's words and codes decide whether the same is bought again by itself."""
    assert failure_kind(reason) == expected
    for name in ("error_message", "error", "failureReason", "message", "detail"):
        assert failure_kind({"generation_id": "g", "status": "failed", name: reason}) == expected
    assert failure_kind({"error": {"code": reason, "param": None}}) == expected
    assert failure_kind({"error": json.dumps({"errors": [{"msg": reason}]})}) == expected


def test_the_table_is_large_enough_to_mean_something() -> None:
    """Every kind has many rows, and as many are not understood as are bought again."""
    kinds = [kind for kind, _ in TABLE]
    assert len(TABLE) >= 120
    assert len(set(TABLE)) == len(TABLE)
    assert min(kinds.count(kind) for kind in ("image", "content", "timeout", "system")) >= 15


@pytest.mark.parametrize(("expected", "document"), DOCUMENTS)
def test_the_table_of_documents(expected: str, document: dict[str, Any]) -> None:
    """Every field that may hold a reason counts, and one that contradicts decides."""
    assert failure_kind({"status": "failed"} | document) == expected
    assert info({"status": "failed"} | document).failure_kind == expected


NOT_ALL_UNDERSTOOD: tuple[dict[str, Any], ...] = (
    {"retryable": False}, {"retryable": "no"}, {"can_retry": False},
    {"error": {"retryable": False}},
    {"category": "x17"}, {"categories": ["x17"]}, {"category_scores": {"x17": 0.98}},
    {"label": "x17"}, {"decision": "BLOCK"}, {"action": "block"}, {"outcome": "X17"},
    {"audit_result": "reject"}, {"logs": "x17 detected"}, {"hint": "another one"}, {"note": "x17"},
    {"invalid_prompt": True}, {"bad_request": True}, {"input": {"flagged": True}},
    {"state": "WEIRD"}, {"task_status": "retrying"}, {"stage": "retrying"}, {"job_status": "x"},
    {"video_url": "https://cdn.example/v.mp4"}, {"output": "https://cdn.example/v.mp4"},
)  # fmt: skip


@pytest.mark.parametrize("beside", NOT_ALL_UNDERSTOOD)
def test_a_field_that_nobody_knows_makes_it_unknown(beside: dict[str, Any]) -> None:
    """However plain the words are that stand beside it: paid once, never bought again by itself."""
    plain = {"generation_id": "g", "status": "failed", "error_message": "Internal error"}
    assert info(plain).failure_kind == FailureKind.SYSTEM
    assert info(plain | beside).failure_kind in (FailureKind.UNKNOWN, FailureKind.CONTENT)


@given(
    name=st.text("abcdefghijklmnopqrstuvwxyz_", max_size=12).map(lambda text: f"zz{text}q"),
    value=st.sampled_from(["x17", 17, True, ["x17"], {"x17": "y"}]),
)
def test_an_unknown_field_never_passes(name: str, value: Any) -> None:
    """Its name is none of those that describe a generation."""
    plain = {"generation_id": "g", "status": "failed", "error_message": "Internal error"}
    assert info(plain | {name: value}).failure_kind not in (FailureKind.SYSTEM, "timeout")


@pytest.mark.parametrize(
    "inner",
    [
        {"data": {"generation_id": "g", "status": "processing"}},
        {"data": {"status": "rendering"}},
        {"error": {"status": "processing"}},
        {"task": {"state": "in_progress"}},
    ],
)
def test_what_goes_on_inside_has_not_ended(inner: dict[str, Any]) -> None:
    """An error around a generation that is under way is no end of it."""
    outer = {"generation_id": "g", "status": "error", "message": "Internal server error"}
    found = info(outer | inner)
    assert found.failure_kind is None
    assert found.status not in ("failed", "completed")


@pytest.mark.parametrize(("expected", "document"), BESIDE)
def test_what_stands_beside_the_providers_own_fault(
    expected: str, document: dict[str, Any]
) -> None:
    """Codes, flags, signs and fields that we don't know keep the same from being bought again."""
    whole = {"generation_id": "g", "status": "failed", "error_message": "Internal error"} | document
    assert failure_kind(whole) == expected
    assert info(whole).failure_kind == expected


@given(
    place=st.sampled_from(PLACES),
    name=st.sampled_from(
        ["param", "score", "label", "code", "type", "msg", "flag", "x", "blocked"]
    ),
    value=SCALARS,
)
def test_nothing_that_is_not_understood_is_bought_again(
    place: Callable[[str, Any], dict[str, Any]], name: str, value: Any
) -> None:
    """Whatever its form and wherever it stands in what may be a reason."""
    assert failure_kind({"status": "failed"} | place(name, value)) not in RETRIED


@pytest.mark.parametrize("place", PLACES)
def test_the_places_alone_are_understood(
    place: Callable[[str, Any], dict[str, Any]],
) -> None:
    """Without the odd value the same answers are bought again: it is what decides."""
    assert failure_kind({"status": "failed"} | place("param", None)) in RETRIED


@pytest.mark.parametrize("reason", [None, 3, True, [], {}, [[[[[[[["internal error"]]]]]]]]])
def test_no_reason_is_no_reason_to_buy_again(reason: Any) -> None:
    """What says nothing, or hides it too deep, is not understood."""
    assert failure_kind(reason) is FailureKind.UNKNOWN
    assert failure_kind({"error_message": reason}) is FailureKind.UNKNOWN


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=12)
    | st.sampled_from([reason for _, reason in TABLE]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=6) | st.sampled_from(["code", "id"]), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELD = st.sampled_from(["error_message", "error", "message", "detail", "failure_reason", "code"])
WHITELISTED = re.compile(
    r"internal|server error|system error|unavailable|overload|busy|down|capacity|load|demand|"
    r"traffic|maintenance|bad gateway|time|took too long|deadline"
)


@given(document=st.dictionaries(FIELD | st.text(max_size=6), JSON, max_size=4) | JSON)
def test_nothing_is_bought_again_but_for_words_of_the_whitelist(document: Any) -> None:
    """No document breaks the classification, and without such words nothing is retried."""
    kind = failure_kind(document)
    if kind in RETRIED:
        assert WHITELISTED.search(" ".join(map(spelled, pieces(document))))


@given(reason=st.sampled_from([r for k, r in TABLE if k in RETRIED]), word=st.text(min_size=1))
def test_a_word_that_nobody_knows_is_not_bought_again(reason: str, word: str) -> None:
    """An own fault of the provider's is one only as long as all of its words are understood."""
    assert failure_kind(f"{reason} zq{word}") not in RETRIED


@given(st.text())
def test_every_message_has_a_kind(message: str) -> None:
    """Nothing breaks the classification, and only provider's kinds come out of it."""
    assert failure_kind(message) not in {FailureKind.OVERDUE, FailureKind.VALIDATION}


def test_a_reason_without_end_is_read_in_bounds() -> None:
    """Neither depth, nor number, nor length of what is said costs more than a moment."""
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]
    assert pieces({"error": deep}) == [UNREAD]
    many = pieces({"error": [str(n) for n in range(10_000)], "message": "x"})
    assert many == [*(str(n) for n in range(MOST)), UNREAD]
    assert pieces({"error": "y" * 10**6}) == ["y" * LONGEST, UNREAD]
    assert failure_kind({"error": "image " * 10**5}) is FailureKind.UNKNOWN
    assert failure_kind({"error": "[" * 10**4}) is FailureKind.UNKNOWN
    assert failure_kind({"error": "internal error " * 10**3}) is FailureKind.UNKNOWN
    assert failure_kind({"error": ["internal error", *map(str, range(MOST))]}) == "unknown"


def test_what_is_shown_are_the_providers_words_and_codes() -> None:
    """A person reads all that was said, cleaned, without the token."""
    said = {
        "status": "failed",
        "error": {"code": "MODERATION\x1b[1m_X", "message": "no tok-123456"},
    }
    shown = info(said, "tok-123456").error_message
    assert shown == "MODERATION _X: no ***"
    assert info({"status": "failed", "code": 1401}).error_message == "code 1401"
    assert info({"status": "failed"}).error_message is None


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
