"""Words for states, addresses, times and ids, as APIs of this kind write them."""

import asyncio
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchsora.providers.runblob.adapter import RunBlobProvider, generation_of
from batchsora.providers.runblob.answers import http_date, retry_after
from batchsora.providers.runblob.client import RunBlobClient
from batchsora.providers.runblob.errors import GenerationFailedError, StillRunningError
from batchsora.providers.runblob.models import created, info, listed, usable_id
from batchsora.providers.runblob.phases import canonical, meaning
from jobs.model.clock import EARLIEST, LATEST
from jobs.model.provider import Generation, GenerationPhase
from jobs.model.states import FailureKind

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
SECONDS = int(NOON.timestamp())
BASE = "https://api.example/v1x"

# the rule, word by word: (phase, kind of failure, words)
STATES: tuple[tuple[str, str | None, str], ...] = (
    ("pending", None, "pending queued submitted waiting created accepted scheduled starting"),
    ("pending", None, "not_start NOT_START IN_QUEUE Queued QUEUED STATE_PENDING Starting"),
    ("processing", None, "processing in_progress in-progress IN_PROGRESS inProgress running"),
    ("processing", None, "RUNNING generating rendering active started working TASK_STATUS_RUNNING"),
    ("completed", None, "completed complete succeeded succeed success successful done finished"),
    ("completed", None, "ready SUCCESS Succeeded JOB_STATE_SUCCEEDED TASK_STATUS_SUCCEED"),
    ("completed", None, "MEDIA_GENERATION_STATUS_SUCCESSFUL STATUS_SUCCEEDED COMPLETED"),
    ("failed", "unknown", "failed fail failure error errored FAILED TASK_STATUS_FAILED"),
    ("failed", "unknown", "cancelled canceled aborted expired CANCELLED JOB_STATE_CANCELLED"),
    ("failed", "content", "rejected moderated blocked nsfw flagged content_filtered NSFW"),
    ("unknown", None, "frobnicated paused throttled hidden partial unknown ok 3 completed?!maybe"),
)
WORDS = [(phase, kind, word) for phase, kind, words in STATES for word in words.split()]


def shown(**fields: Any) -> Generation:
    """Turn a document of the API into the engine's generation."""
    return generation_of(info({"generation_id": "g"} | fields, "", BASE), "g")


@pytest.mark.parametrize(("phase", "kind", "word"), WORDS)
@pytest.mark.parametrize("field", ["status", "state", "task_status"])
def test_the_table_of_states(phase: str, kind: str | None, word: str, field: str) -> None:
    """A word in any case, joined in any way, in any of three fields, means what the table says."""
    found = shown(**{field: f" {word} "})
    assert (found.phase, found.failure) == (phase, kind)
    assert found.said_state == (word if phase == "unknown" else None)


@pytest.mark.parametrize(
    ("fields", "phase", "said"),
    [
        ({}, "unknown", None),
        ({"status": None}, "unknown", None),
        ({"status": True}, "unknown", None),
        ({"status": []}, "unknown", None),
        ({"status": " "}, "unknown", None),
        ({"status": 3}, "unknown", "3"),
        ({"status": "Frob\x1b[1m-Nicated"}, "unknown", "Frob -Nicated"),
        ({"status": "x" * 99}, "unknown", "x" * 39 + "\u2026"),
        ({"status": "ok", "state": "running"}, "processing", None),
        ({"status": "queued", "state": "running"}, "processing", None),
        ({"status": "success", "task_status": "processing"}, "unknown", "success, processing"),
        ({"status": "success", "state": "failed"}, "unknown", "success, failed"),
        ({"status": "failed", "state": "canceled"}, "failed", None),
    ],
)
def test_states_that_are_odd(fields: dict[str, Any], phase: str, said: str | None) -> None:
    """What is absent, no word, or contradictory is no end, and is shown as it was said."""
    found = shown(**fields)
    assert (found.phase, found.said_state) == (phase, said)


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        ("failed", "Internal error", "system"),
        ("FAILURE", "timed out", "timeout"),
        ("cancelled", "Internal error", "unknown"),
        ("aborted", "timed out", "unknown"),
        ("expired", "moderation", "content"),
        ("canceled", "invalid image", "image"),
        ("rejected", "Internal error", "content"),
        ("blocked", "faces in the image", "image"),
    ],
)
def test_a_word_for_the_end_and_a_reason(status: str, reason: str, kind: str) -> None:
    """Only what failed may be bought again by itself: what was stopped or refused may not."""
    assert shown(status=status, error_message=reason).failure == kind


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"status": "CANCELLED"}, "the provider says 'CANCELLED' and gives no reason"),
        ({"status": "failed"}, None),
        ({"status": "failed", "error": {"code": "X_1", "message": "no"}}, "X_1: no"),
    ],
)
def test_an_end_is_told_in_the_providers_words(fields: dict[str, Any], message: str | None) -> None:
    """Where there is no reason there is at least the word for the end."""
    assert shown(**fields).message == message


@given(st.text(max_size=60))
def test_no_word_breaks_the_table(word: str) -> None:
    """A state is one of the four, or a short word."""
    assert meaning(word) is None or canonical(word) in list(map(str, GenerationPhase))
    assert len(canonical(word)) <= 40


ADDRESSES: tuple[tuple[Any, str | None], ...] = (
    ("https://cdn.example/v.mp4?sig=a%20b", "https://cdn.example/v.mp4?sig=a%20b"),
    ("/videos/x.mp4", "https://api.example/videos/x.mp4"),
    ("videos/x.mp4", "https://api.example/v1x/videos/x.mp4"),
    ("x.mp4", "https://api.example/v1x/x.mp4"),
    ("../x.mp4", "https://api.example/x.mp4"),
    ("//cdn.example/y.mp4", "https://cdn.example/y.mp4"),
    ("cdn.example/y.mp4?a=b", "https://cdn.example/y.mp4?a=b"),
    ("cdn.example:8443/y.mp4", "https://cdn.example:8443/y.mp4"),
    (" /videos/x.mp4 ", "https://api.example/videos/x.mp4"),
    ({"url": "https://cdn.example/v.mp4"}, "https://cdn.example/v.mp4"),
    (["https://cdn.example/v.mp4"], "https://cdn.example/v.mp4"),
    ([{"url": "/v.mp4"}], "https://api.example/v.mp4"),
    (["https://cdn.example/1.mp4", "https://cdn.example/2.mp4"], None),
    ([], None),
    ({}, None),
    ("", None),
    ("   ", None),
    ("#", None),
    ("file:///etc/passwd", None),
    ("javascript:alert(1)", None),
    ("data:video/mp4;base64,AAAA", None),
    ("gs://bucket/v.mp4", None),
    ("s3://bucket/v.mp4", None),
    ("/a b.mp4", None),
    ("/a\x1b[31m.mp4", None),
    ("//[::1/v.mp4", None),
    ("/" + "a" * 9000, None),
    (3, None),
    (True, None),
)


@pytest.mark.parametrize(("value", "expected"), ADDRESSES)
def test_addresses_of_videos(value: Any, expected: str | None) -> None:
    """What lacks scheme or host is resolved against the API; nothing else is guessed."""
    assert shown(status="completed", video_url=value).video_url == expected
    assert shown(status="completed", video_url=None, output=value).video_url == expected


def test_only_a_completed_one_has_an_address_elsewhere() -> None:
    """An ``url`` of one under way may be anything; the documented field comes first."""
    assert shown(status="processing", url="https://x.example/page").video_url is None
    both = shown(status="done", video_url="https://x.example/v.mp4", url="https://x.example/page")
    assert both.video_url == "https://x.example/v.mp4"


@given(st.text(max_size=40) | st.recursive(st.text(max_size=9), st.lists))
def test_no_address_breaks_its_reader(value: Any) -> None:
    """Whatever stands there, it is a web address without spaces, or nothing."""
    found = shown(status="completed", video_url=value).video_url
    assert found is None or re.fullmatch(r"https?://[^\s]+", found, re.IGNORECASE)


TIMES: tuple[tuple[Any, datetime | None], ...] = (
    ("2026-01-02T12:00:00", NOON),
    ("2026-01-02 12:00:00Z", NOON),
    ("2026-01-02T14:00:00+02:00", NOON),
    (SECONDS, NOON),
    (float(SECONDS), NOON),
    (Decimal(SECONDS), NOON),
    (str(SECONDS), NOON),
    (f" {SECONDS}.5 ", NOON + timedelta(seconds=0.5)),
    (SECONDS * 1000, NOON),
    (str(SECONDS * 1000), NOON),
    (SECONDS * 1000 + 250, NOON + timedelta(milliseconds=250)),
    ("2000-01-01T00:00:00", EARLIEST),
    ("1999-12-31T23:59:59", None),
    ("2099-12-31T23:59:59", LATEST - timedelta(seconds=1)),
    ("2100-01-01T00:00:00", None),
    ("0001-01-01T00:00:00", None),
    ("0001-01-01T00:00:00+14:00", None),
    ("9999-12-31T23:59:59.999999", None),
    ("9999-12-31T23:59:59-14:00", None),
    ("1970-01-01T00:00:00Z", None),
    (0, None),
    (1, None),
    (-SECONDS, None),
    (946_684_799, None),
    (946_684_800, EARLIEST),
    (4_102_444_800, None),
    (SECONDS * 10**6, None),
    (10**400, None),
    (float("inf"), None),
    (float("nan"), None),
    (Decimal("1e999999"), None),
    ("20260102", None),
    ("2026-01-02", None),
    ("yesterday", None),
    (True, None),
    ([], None),
    ("", None),
)


@pytest.mark.parametrize(("value", "expected"), TIMES)
def test_times(value: Any, expected: datetime | None) -> None:
    """ISO or epoch, within a century that can be calculated with; else it is unreadable."""
    assert info({"created_at": value}).created_at == expected


@given(st.integers() | st.floats() | st.decimals() | st.text() | st.datetimes().map(str))
@example(Decimal("1e999990"))  # to write it out as an integer takes half a minute
@example(Decimal("-1e999990"))
def test_no_time_leaves_the_century(value: Any) -> None:
    """Whatever a time is, two days and a century may be added to it and taken from it."""
    found = info({"created_at": value}).created_at
    assert found is None or EARLIEST <= found < LATEST


@pytest.mark.parametrize(
    ("text", "readable"),
    [
        ("Fri, 02 Jan 2026 12:00:00 GMT", True),
        ("Fri, 31 Dec 9999 23:59:59 GMT", False),
        ("Tue, 01 Jan 1985 00:00:00 GMT", False),
        ("Thu, 01 Jan 1970 00:00:00 GMT", False),
        ("Fri, 01 Jan 2100 00:00:00 GMT", False),
        ("", False),
        ("soon", False),
    ],
)
def test_dates_of_headers(text: str, readable: bool) -> None:  # noqa: FBT001 - a table's column
    """A ``Date`` or ``Retry-After`` of another century says nothing."""
    assert (http_date(text) == NOON) is readable
    waits = retry_after({"retry-after": text, "date": "Fri, 02 Jan 2026 11:59:00 GMT"}, NOON.now)
    assert waits == (60.0 if readable else None)


UPPER = "0B9F2C3D-1111-4222-8333-ABCDEFABCDEF"


@pytest.mark.parametrize(
    ("given_id", "kept"),
    [
        (UPPER, UPPER.lower()),
        (UPPER.lower(), UPPER.lower()),
        ("Gen-ABC", "Gen-ABC"),
        (UPPER[:-1], UPPER[:-1]),
        (UPPER.replace("-", ""), UPPER.replace("-", "").lower()),
        (UPPER.replace("-", "")[:-1], UPPER.replace("-", "")[:-1]),
        (UPPER.replace("-", "", 1), UPPER.replace("-", "", 1)),
        ("GEN" + UPPER.replace("-", "")[3:], "GEN" + UPPER.replace("-", "")[3:]),
        ("a/b", None),
    ],
)
def test_ids_that_are_uuids_are_kept_in_lower_case(given_id: str, kept: str | None) -> None:
    """At one place, for the answer to a purchase, a status and every entry of the list."""
    assert usable_id(given_id) == kept
    made = created({"generation_id": given_id, "price": "0.12"})
    assert (made and made.generation_id) == kept
    assert info({"generation_id": given_id}).generation_id == kept


ENTRY = {
    "generation_id": "g-1",
    "status": "completed",
    "prompt": "a kite",
    "video_url": "https://x.example/v.mp4",
    "created_at": "2026-01-02T12:00:00",
}
ODD: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=12)
    | st.sampled_from(
        [value for value, _ in (*TIMES, *ADDRESSES) if isinstance(value, str | int | list | dict)]
    )
    | st.sampled_from([word for _, _, word in WORDS]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)
NAMES = st.sampled_from(
    [*ENTRY, "state", "task_status", "error", "error_message", "message", "url", "output",
     "said_state", "failure_kind", "completed_at", "progress_pct"]
)  # fmt: skip


@given(odd=st.dictionaries(NAMES | st.text(max_size=6), ODD, max_size=6) | ODD)
@example(odd={"created_at": "0001-01-01T00:00:00"})
@example(odd={"failure_kind": "nonsense", "said_state": 3, "status": "failed"})
@example(odd={"status": "\ud83d", "error": {"\ud83d": "\ud83d"}})
def test_one_odd_entry_never_breaks_the_others(odd: Any) -> None:
    """Its neighbours are read as if it were not there, and it keeps its place."""
    found = listed([ENTRY, odd, ENTRY], "tok-secret", BASE)
    assert found is not None
    first, middle, last = (generation_of(one, one.generation_id) for one in found)
    assert first == last
    assert (first.id, first.phase, first.created_at) == ("g-1", "completed", NOON)
    assert middle.phase in GenerationPhase
    assert middle.created_at is None or EARLIEST <= middle.created_at < LATEST
    assert (middle.failure is not None) is (middle.phase is GenerationPhase.FAILED)
    assert repr(middle).encode()


def answering(*documents: dict[str, Any]) -> Callable[[httpx.Request], httpx.Response]:
    answers = list(documents)
    return lambda _: httpx.Response(
        200, content=json.dumps(answers.pop(0) if len(answers) > 1 else answers[0]).encode()
    )


ITS = {"generation_id": "g"}


def waited(*documents: dict[str, Any]) -> Any:
    """Wait for a generation whose looks show these documents, one after the other."""

    async def main() -> Any:
        clock = [0.0]

        async def sleep(seconds: float) -> None:
            clock[0] += seconds

        async with RunBlobClient(
            "tok",
            base_url="http://127.0.0.1:1",
            transport=httpx.MockTransport(answering(*({**each, **ITS} for each in documents))),
            monotonic=lambda: clock[0],
            sleep=sleep,
        ) as client:
            return await client.wait_for_completion("g", timeout=60)

    return asyncio.run(main())


def test_the_python_client_waits_by_the_same_tables() -> None:
    """Synonyms end the waiting; what nobody knows goes on, and is named when the time is over."""
    done = waited({"state": "IN_PROGRESS"}, {"state": "SUCCEEDED", "video_url": "/v.mp4"})
    assert (done.status, done.video_url) == ("completed", "http://127.0.0.1:1/v.mp4")
    with pytest.raises(GenerationFailedError, match="the API says 'CANCELLED'") as stopped:
        waited({"status": "CANCELLED"})
    assert stopped.value.kind is FailureKind.UNKNOWN
    with pytest.raises(GenerationFailedError, match="UNSAFE_CONTENT") as refused:
        waited({"status": "FAILED", "error": {"code": "UNSAFE_CONTENT"}})
    assert refused.value.kind == "content"
    with pytest.raises(StillRunningError, match="last seen: Frobnicated"):
        waited({"status": "Frobnicated"})


@pytest.mark.parametrize("name", [UPPER, UPPER.replace("-", "")])
def test_an_id_in_another_case_is_the_one_that_was_asked_for(name: str) -> None:
    """A UUID that comes back in capitals is no other generation."""

    async def main() -> Generation:
        transport = httpx.MockTransport(answering({"generation_id": name, "status": "done"}))
        async with RunBlobClient("tok", transport=transport) as client:
            return await RunBlobProvider(client).generation(name.lower())

    assert asyncio.run(main()).id == name.lower()
