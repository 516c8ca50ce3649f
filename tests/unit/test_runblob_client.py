import asyncio
import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchsora.providers.runblob import errors
from batchsora.providers.runblob.adapter import RunBlobProvider
from batchsora.providers.runblob.asked import asked_of
from batchsora.providers.runblob.catalog import LISTED, SORA
from batchsora.providers.runblob.client import RunBlobClient
from jobs.model.families import family_of, provider_id
from jobs.model.money import Micros
from jobs.model.provider import (
    Accepted,
    ForbiddenError,
    GenerationPhase,
    GenerationRequest,
    ImageRef,
    InDoubt,
    ProviderError,
    RefusalCause,
    Refused,
    Rejected,
    SubmitOutcome,
    Throttled,
    ThrottledError,
    TokenRefusedError,
    UnknownGenerationError,
    UnreachableError,
    Unsent,
    WrongAddressError,
)
from jobs.model.states import FailureKind

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
CREATED = {"generation_id": "gen-1", "status": "pending", "price": "0.1200"}

Handler = Callable[[httpx.Request], httpx.Response]


def reply(status: int, document: Any = None, **headers: str) -> Handler:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: httpx.Response(status, content=content, headers=named)


def run(handler: Handler, call: Callable[[RunBlobClient], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        transport = httpx.MockTransport(handler)
        async with RunBlobClient("tok", transport=transport, now=lambda: NOON) as client:
            return await call(client)

    return asyncio.run(main())


def submit(handler: Handler, image: ImageRef | None = None) -> SubmitOutcome:
    request = GenerationRequest("a kite", "16:9", 15, image, "https://example.com/hook")
    found = run(
        handler, lambda client: RunBlobProvider(client).submit(request, "key", lambda: True)
    )
    assert isinstance(found, SubmitOutcome)
    return found


@pytest.mark.parametrize("status", [200, 201, 202])
def test_an_acceptance_has_its_id_and_price(status: int) -> None:
    """The price is exact micro-dollars, whether it came as text or as a number."""
    assert submit(reply(status, CREATED)) == Accepted("gen-1", Micros(120_000))
    numeric = b'{"generation_id": "gen-1", "price": 0.12}'
    assert submit(reply(status, numeric)) == Accepted("gen-1", Micros(120_000))


@pytest.mark.parametrize(
    "price",
    [None, "", "free", "-1", "NaN", "Infinity", "1e400", True, [], {}, -3, 10**30, "9" * 99],
)
def test_an_acceptance_with_an_unusable_price_is_still_one(price: Any) -> None:
    """What was created was created; what it cost is then unknown, never nothing or absurd."""
    assert submit(reply(201, CREATED | {"price": price})) == Accepted("gen-1", None)


@pytest.mark.parametrize(
    "generation_id", [None, "", ".", "..", "a/b", "a b", "ä", "x" * 129, 7, ["a"], "a\n", "%2e"]
)
def test_a_yes_without_a_usable_id_is_in_doubt(generation_id: Any) -> None:
    """Something was probably bought, but nothing can be asked for: a doubt."""
    assert isinstance(submit(reply(201, CREATED | {"generation_id": generation_id})), InDoubt)


NOT_CREATED = {400, 401, 402, 403, 404, 405, 413, 415, 422, 429}


@given(status=st.integers(203, 599), body=st.binary(max_size=40))
def test_only_the_whitelist_is_known_not_created(status: int, body: bytes) -> None:
    """Beside 200, 201 and 202 only the statuses of the money protocol leave no doubt."""
    outcome = submit(reply(status, body))
    assert isinstance(outcome, InDoubt) is (status not in NOT_CREATED)
    assert not isinstance(outcome, Accepted)


@given(body=st.binary(max_size=200))
def test_no_body_breaks_the_reading_of_a_yes(body: bytes) -> None:
    """Whatever follows a 201, the outcome is an acceptance or a doubt."""
    assert isinstance(submit(reply(201, body)), InDoubt | Accepted)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, RefusalCause.TOKEN),
        (403, RefusalCause.ACCESS),
        (402, RefusalCause.FUNDS),
        (404, RefusalCause.ADDRESS),
        (405, RefusalCause.ADDRESS),
    ],
)
def test_refusals_stand_for_every_request(status: int, expected: RefusalCause) -> None:
    """Token, funds and address stop everything, and the API's own words are passed on."""
    outcome = submit(reply(status, {"detail": "SOMETHING_\x1b[31mELSE"}))
    assert isinstance(outcome, Refused)
    assert outcome.cause is expected
    assert "SOMETHING_" in outcome.message
    assert "\x1b" not in outcome.message


LIST_DETAIL = {
    "detail": [
        {
            "type": "enum",
            "loc": ["body", "duration"],
            "msg": "Input should be 10 or 15",
            "input": 9,
        },
        {"loc": "nonsense", "msg": None},
        "plain words",
        None,
    ]
}


@pytest.mark.parametrize("status", [400, 415, 422])
def test_a_wrong_request_is_rejected_with_its_details(status: int) -> None:
    """A person reads which field is wrong and why."""
    outcome = submit(reply(status, LIST_DETAIL))
    assert isinstance(outcome, Rejected)
    assert outcome.kind is FailureKind.VALIDATION
    assert "duration: Input should be 10 or 15; plain words" in outcome.message


@pytest.mark.parametrize(
    ("status", "detail"),
    [
        (422, [{"loc": ["body", "image_url"], "msg": "URL is not reachable"}]),
        (400, "Cannot provide both image_base64 and image_url"),
        (400, "The image is too large"),
        (415, "unsupported image type"),
        (413, None),
    ],
)
def test_a_wrong_image_is_told_from_a_wrong_request(status: int, detail: Any) -> None:
    """What speaks of the image is about the image, and a body too large has no other reason."""
    outcome = submit(reply(status, {"detail": detail}), ImageRef("https://example.com/a.png"))
    assert isinstance(outcome, Rejected)
    assert outcome.kind is FailureKind.IMAGE


def test_without_an_image_no_image_is_wrong() -> None:
    """A refusal that speaks of images, or a 413, does not blame an image that was not sent."""
    for status in (400, 413):
        outcome = submit(reply(status, {"detail": "no image of that kind"}))
        assert isinstance(outcome, Rejected)
        assert outcome.kind is FailureKind.VALIDATION


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"Retry_After": "7"}, 7.0),
        ({"Retry_After": "0"}, 0.0),
        ({"Retry_After": "99999999"}, 3600.0),
        ({"Retry_After": "-3"}, None),
        ({"Retry_After": "soon"}, None),
        ({"Retry_After": "nan"}, None),
        ({"Retry_After": "Fri, 02 Jan 2026 12:00:30 GMT"}, 30.0),
        ({"Retry_After": "Fri, 02 Jan 2026 11:00:00 GMT"}, 0.0),
        (
            {
                "Retry_After": "Fri, 02 Jan 2026 15:00:30 GMT",
                "Date": "Fri, 02 Jan 2026 15:00:00 GMT",
            },
            30.0,
        ),
        ({"Retry_After": "Fri, 99 Jan 2026 12:00:30 GMT"}, None),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], expected: float | None) -> None:
    """``Retry-After`` is seconds or a date by the server's own clock; nonsense is no answer."""
    assert submit(reply(429, {}, **headers)) == Throttled(expected, "too many requests (429)")


def test_a_failure_of_the_transport_before_the_body_was_asked_for_is_unsent() -> None:
    """A transport that never touched the body can't have sent it, whatever it raises."""

    class Dead(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            raise httpx.ReadError("broken before anything", request=request)

    class Broken(Dead):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await request.aread()
            raise httpx.ConnectError("says it never connected", request=request)

    class Repeating(Dead):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            assert isinstance(request.stream, httpx.AsyncByteStream)
            for _ in range(2):
                _ = [piece async for piece in request.stream]
            return httpx.Response(201, json=CREATED)

    async def main(transport: httpx.AsyncBaseTransport) -> SubmitOutcome:
        async with RunBlobClient("tok", transport=transport) as client:
            request = GenerationRequest("x", "9:16", 10)
            return await RunBlobProvider(client).submit(request, "k", lambda: True)

    unsent = asyncio.run(main(Dead()))
    assert isinstance(unsent, Unsent)
    assert unsent.unreachable
    assert isinstance(asyncio.run(main(Broken())), InDoubt)
    with pytest.raises(RuntimeError, match="never written twice"):
        asyncio.run(main(Repeating()))


class Sent:
    """Keeps the one request that was sent."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Accept it."""
        self.requests.append(request)
        return httpx.Response(201, json=CREATED)

    @property
    def document(self) -> dict[str, Any]:
        """Give what the one request says."""
        (request,) = self.requests
        assert int(request.headers["content-length"]) == len(request.content)
        found = json.loads(request.content)
        assert isinstance(found, dict)
        return found


@pytest.mark.parametrize(
    ("content", "media"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0 jpeg", "image/jpeg"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
    ],
)
def test_a_local_image_goes_out_by_its_content(content: bytes, media: str, tmp_path: Path) -> None:
    """The media type is the content's, whatever the file is called; bytes need no file."""
    path = tmp_path / "picture.gif"
    path.write_bytes(content)
    ref = ImageRef("p", str(path), hashlib.sha256(content).hexdigest(), len(content), "image/gif")
    documents = []
    for image in (ref, path, str(path), content):
        sent = Sent()
        run(sent, lambda client, image=image: client.generate("x", image=image))
        documents.append(sent.document)
    encoded = documents[0]["image_base64"]
    assert encoded.startswith(f"data:{media};base64,")
    assert documents == [documents[0]] * 4
    assert "image_url" not in documents[0]


def test_an_address_and_a_data_uri_go_out_as_they_are() -> None:
    """The provider fetches an address itself; a data URI is not encoded twice."""
    sent = Sent()
    assert submit(sent, ImageRef("HTTPS://example.com/a.png")) == Accepted("gen-1", Micros(120_000))
    assert sent.document == {
        "prompt": "a kite",
        "orientation": "16:9",
        "duration": 15,
        "callback_url": "https://example.com/hook",
        "image_url": "HTTPS://example.com/a.png",
    }
    sent = Sent()
    submit(sent, ImageRef("data:image/png;base64,AAAA"))
    assert sent.document["image_base64"] == "data:image/png;base64,AAAA"


def test_an_image_that_can_not_be_used_is_found_before_anything_is_sent(tmp_path: Path) -> None:
    """Missing, changed, a folder, no picture, too large: rejected, unasked and unsent."""
    changed = tmp_path / "changed.png"
    changed.write_bytes(PNG)
    text = tmp_path / "text.png"
    text.write_text("not a picture")
    large = tmp_path / "large.png"
    large.write_bytes(PNG + bytes(10 * 1024**2))
    sent = Sent()
    for ref in (
        ImageRef("a", str(tmp_path / "missing.png"), "0" * 64),
        ImageRef("a", str(changed), "0" * 64),
        ImageRef("a", str(tmp_path)),
        ImageRef("a", str(text)),
        ImageRef("a", str(large)),
    ):
        request = GenerationRequest("x", "9:16", 10, ref)
        outcome = run(
            sent,
            lambda c, request=request: RunBlobProvider(c).submit(request, "k", lambda: 1 / 0 > 0),
        )
        assert isinstance(outcome, Rejected)
        assert outcome.kind is FailureKind.IMAGE
        assert "image" in outcome.message
    assert sent.requests == []


@pytest.mark.parametrize("prompt", ["emoji 🪁", 'quote " and \\ and \n', "lone \ud800 half", "\0"])
def test_every_prompt_survives_the_wire(prompt: str) -> None:
    """What JSON has to escape is escaped, also around the image that is written beside it."""
    sent = Sent()
    run(
        sent,
        lambda client: client.send(
            asked_of(SORA, prompt, "9:16", 10, None, {}, {"start": PNG}), None
        ),
    )
    assert sent.document["prompt"] == prompt


INFO = {
    "generation_id": "gen-1",
    "status": "processing",
    "prompt": "a kite",
    "created_at": "2026-01-02T12:00:00",
    "progress_pct": 40,
    "progress_pos_in_queue": None,
    "brand_new": {"kept": "whole"},
}


def test_a_status_is_asked_for_as_documented() -> None:
    """The path has its trailing slash; naive times are UTC; unknown fields are kept."""
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.method} {request.url}")
        return httpx.Response(200, json=INFO)

    found = run(handler, lambda client: client.status("gen-1"))
    assert asked == ["GET https://platform.runblob.io/v1/sora/generations/gen-1/"]
    assert found.created_at == NOON
    assert found.progress_pct == 40
    assert found.model_extra == {"brand_new": {"kept": "whole"}}


ENDED = {"status": "failed", "error_message": "Internal error"}
NAMED = {"generation_id": "gen-1", **ENDED}


@pytest.mark.parametrize(
    ("document", "status", "kind"),
    [
        (NAMED, "failed", "system"),
        ({"id": "gen-1", **ENDED}, "failed", "system"),
        ({"id": "req-7", **NAMED}, "failed", "system"),
        ({"data": NAMED}, "failed", "system"),
        ({"status": "success", "data": {"id": "gen-1", **ENDED}}, "failed", "system"),
        ({"status": "error", "generation": {**NAMED, "status": "queued"}}, "pending", None),
        ({"result": {"data": {**NAMED, "status": "running"}}}, "processing", None),
        ({"status": "error", "message": "oops", "data": {"id": "gen-1"}}, None, None),
        ({"message": "Blocked by moderation", "data": NAMED}, "failed", "content"),
        ({"message": "GOOGLE_DECLINED", "data": NAMED}, "failed", "unknown"),
        ({"status": "queued", "id": "gen-1", "data": NAMED}, "failed, queued", None),
        (ENDED, None, "no id"),
        ({"id": None, **ENDED}, None, "no id"),
        ({**NAMED, "generation_id": "GEN-1"}, None, "no id"),
        ({**NAMED, "generation_id": ["gen-1"]}, None, "no id"),
        ({**NAMED, "generation_id": "gen-2", "id": "gen-1"}, None, "no id"),
        ({"generation_id": "gen-2", "data": NAMED}, None, "no id"),
        ({"status": "error", "data": ENDED}, None, "no id"),
        ({"data": {**NAMED, "generation_id": "gen-2"}}, None, "no id"),
        ({"data": [NAMED]}, None, "no id"),
        ({"request": NAMED, "status": "error"}, None, "no id"),
        ({"error": NAMED, "status": "error"}, None, "no id"),
        ({"status": "completed", "video_url": "https://x.example/v.mp4"}, None, "no id"),
    ],
)
def test_an_answer_counts_for_the_generation_that_it_names(
    document: dict[str, Any], status: str | None, kind: str | None
) -> None:
    """What names no id, or another one, may be about the request alone: it is no end."""
    if kind == "no id":
        with pytest.raises(errors.UnreachableError, match="does not name"):
            run(reply(200, document), lambda client: client.status("gen-1"))
        return
    found = run(reply(200, document), lambda client: client.status("gen-1"))
    assert (found.generation_id, found.status, found.failure_kind) == ("gen-1", status, kind)


ERRED = (
    {"status": "error", "message": "Internal server error"},
    {"success": False},
    {"error": {"code": "internal"}},
    {"errors": ["internal"]},
    {"state": "FAILED"},
)


@pytest.mark.parametrize("envelope", ERRED)
def test_an_error_around_a_list_or_a_balance_is_neither(envelope: dict[str, Any]) -> None:
    """An empty page would be the end of the list, and a list without what was lost."""
    for read, document in (
        (lambda client: client.list_generations(), {"data": []}),
        (lambda client: client.list_generations(), {"items": [INFO]}),
        (lambda client: client.get_balance(), {"balance": 0}),
    ):
        with pytest.raises(errors.WrongAddressError):
            run(reply(200, document | envelope), read)
    fine = {"status": "success", "success": True, "error": None, "errors": [], "message": "ok"}
    assert run(reply(200, fine | {"data": []}), lambda client: client.list_generations()) == []
    assert run(reply(200, fine | {"balance": 1}), lambda client: client.get_balance()) == 1


@pytest.mark.parametrize(
    "beside",
    [
        {"code": 500}, {"status": 500}, {"status_code": "502"}, {"ok": False}, {"success": "false"},
        {"code": "INTERNAL_ERROR"}, {"error_code": 7}, {"error_message": "busy"},
        {"detail": "try later"}, {"message": "Internal error"}, {"has_error": True},
        {"status": "unavailable"}, {"meta": {"status": "error"}}, {"total": 37}, {"has_more": True},
        {"next_cursor": "abc"}, {"brand_new": 1},
    ],
)  # fmt: skip
def test_a_page_without_entries_is_the_end_only_where_nothing_else_is_said(
    beside: dict[str, Any],
) -> None:
    """Else what stands in the account is bought again."""
    with pytest.raises(errors.WrongAddressError):
        run(reply(200, {"data": [], **beside}), lambda client: client.list_generations())
    for end in ([], {"items": []}, {"data": [], "total": 0, "has_more": False, "limit": 100}):
        assert run(reply(200, end), lambda client: client.list_generations()) == []


@pytest.mark.parametrize("wrapping", [None, "items", "generations", "data", "results"])
def test_a_list_comes_bare_or_wrapped(wrapping: str | None) -> None:
    """The usual wrappings are the same page."""
    document = [INFO] if wrapping is None else {wrapping: [INFO], "total": 1}
    found = run(reply(200, document), lambda client: client.list_generations(limit=5, offset=2))
    assert [item.generation_id for item in found] == ["gen-1"]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (b'{"balance": "12.34"}', "12.34"),
        (b'{"balance": 12.34}', "12.34"),
        (b'{"balance": 7}', "7"),
        (b'{"balance": "-0.5"}', "0"),
        (b'{"balance": -1}', "0"),
        (
            b'{"balance": 0.1000000000000000055511151231257827}',
            "0.1000000000000000055511151231257827",
        ),
    ],
)
def test_the_balance_is_never_a_float(document: bytes, expected: str) -> None:
    """Text or number, it is the exact decimal; debts count as nothing."""
    found = run(reply(200, document), lambda client: client.get_balance())
    assert isinstance(found, Decimal)
    assert found == Decimal(expected)


READS: list[Callable[[RunBlobProvider], Awaitable[Any]]] = [
    lambda provider: provider.generation("gen-1"),
    lambda provider: provider.generations("sora", 100, 0),
    lambda provider: provider.balance(),
]


@pytest.mark.parametrize("read", READS, ids=["status", "list", "balance"])
@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (reply(401, {}), TokenRefusedError),
        (reply(405, {}), WrongAddressError),
        (reply(302, {}, Location="https://x.example/"), WrongAddressError),
        (reply(200, b"<html>"), WrongAddressError),
        (reply(200, "text"), WrongAddressError),
        (reply(200, {"balance": []} | {"generation_id": "other"}), ProviderError),
        (reply(500, b""), UnreachableError),
        (reply(503, {"detail": "x"}), UnreachableError),
        (reply(408, {}), UnreachableError),
        (reply(402, {}), ProviderError),
        (reply(422, {}), ProviderError),
        (reply(418, {}), ProviderError),
    ],
)
def test_what_a_failed_read_means(
    read: Callable[[RunBlobProvider], Awaitable[Any]],
    handler: Handler,
    expected: type[ProviderError],
) -> None:
    """Every failed read is one of the engine's errors, and says whether waiting may help."""
    with pytest.raises(expected):
        run(handler, lambda client: read(RunBlobProvider(client)))


def test_a_403_is_the_tokens_only_where_the_balance_says_so() -> None:
    """One generation's or the list's may have a reason of its own: the engine asks the balance."""
    status, listing, balance = READS
    for read, expected in (
        (status, ForbiddenError),
        (listing, ForbiddenError),
        (balance, TokenRefusedError),
    ):
        with pytest.raises(expected):
            run(reply(403, {}), lambda client, read=read: read(RunBlobProvider(client)))


def test_a_404_depends_on_what_was_asked() -> None:
    """An unknown generation is no wrong address."""
    handler = reply(404, {"detail": "Generation not found"})
    with pytest.raises(UnknownGenerationError, match="Generation not found"):
        run(handler, lambda client: RunBlobProvider(client).generation("gen-1"))
    with pytest.raises(WrongAddressError):
        run(handler, lambda client: RunBlobProvider(client).balance())
    with pytest.raises(UnknownGenerationError):
        run(handler, lambda client: RunBlobProvider(client).generation("../balance"))
    with pytest.raises(ValueError, match="not an id"):
        run(handler, lambda client: client.status("a/../b"))


def test_a_throttled_read_says_how_long() -> None:
    """The engine's error carries the seconds."""
    with pytest.raises(ThrottledError) as caught:
        run(reply(429, {}, Retry_After="9"), lambda c: RunBlobProvider(c).balance())
    assert caught.value.retry_after == 9.0


@pytest.mark.parametrize(
    ("given_fields", "phase", "failure"),
    [
        ({"status": "pending", "progress_pos_in_queue": 3}, GenerationPhase.PENDING, None),
        ({"status": " Processing "}, GenerationPhase.PROCESSING, None),
        ({"status": "completed"}, GenerationPhase.COMPLETED, None),
        ({"status": "failed"}, GenerationPhase.FAILED, FailureKind.UNKNOWN),
        (
            {"status": "failed", "error_message": "timed out", "brand_new": None},
            GenerationPhase.FAILED,
            "timeout",
        ),
        # beside a field that nobody knows
        ({"status": "failed", "error_message": "timed out"}, GenerationPhase.FAILED, "unknown"),
        ({"status": "succeeded"}, GenerationPhase.COMPLETED, None),
        ({"status": 3}, GenerationPhase.UNKNOWN, None),
    ],
)
def test_phases(given_fields: dict[str, Any], phase: GenerationPhase, failure: str | None) -> None:
    """Words of the table mean what it says; nothing final is concluded from others."""
    found = run(reply(200, INFO | given_fields), lambda c: RunBlobProvider(c).generation("gen-1"))
    assert found.phase is phase
    assert found.failure == failure


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


SHOWN = ("video_url", "completed_at", "error_message", "error", "seed", "model", "description")


@given(
    entries=st.lists(
        st.dictionaries(st.sampled_from([*INFO, *SHOWN]), JSON) | JSON,
        max_size=4,
    ),
    family=st.sampled_from(LISTED),
)
def test_no_list_breaks_its_reader_or_loses_an_entry(entries: list[Any], family: str) -> None:
    """Wrong types never raise, and what can't be read keeps its place, unable to be adopted."""
    found = run(
        reply(200, entries), lambda client: RunBlobProvider(client).generations(family, 100, 0)
    )
    assert len(found) == len(entries)
    for item in found:
        assert family_of(item.id) == family
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,128}", provider_id(item.id))
        assert item.mark is None or re.fullmatch(r"seed=[0-9]{1,10}", item.mark)
        assert item.mark is None or not provider_id(item.id).startswith("unusable-")
        assert item.created_at is None or item.created_at.utcoffset() is not None
        assert item.percent is None or 0 <= item.percent <= 100
        assert item.prompt is None or not provider_id(item.id).startswith("unusable-")
        assert item.prompt is None or item.prompt.encode()


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("created_at", "2026-01-02T12:00:00.123456789", NOON.replace(microsecond=123456)),
        ("created_at", "2026-01-02T14:00:00+02:00", NOON),
        ("created_at", "2026-01-02T12:00:00Z", NOON),
        ("created_at", "2026-01-02", None),
        ("created_at", "0001-01-01T00:00:00+14:00", None),
        ("created_at", 1767355200, NOON),
        ("created_at", "yesterday", None),
        ("video_url", "https://x.example/v.mp4?sig=a%20b", "https://x.example/v.mp4?sig=a%20b"),
        ("video_url", "file:///etc/passwd", None),
        ("video_url", "https://x.example/a b", None),
        ("video_url", "https://x.example/\x1b[31m", None),
        ("video_url", "https://x.example/" + "a" * 9000, None),
        ("percent", "45", 45),
        ("percent", 45.9, 45),
        ("percent", 1e300, None),
        ("percent", 250, 100),
        ("percent", -1, None),
        ("percent", True, None),
        ("prompt", "  ", None),
        ("prompt", "half \ud83d", "half ?"),
        ("message", "no\x1b[2J\x1b]0;title\x07 way\u202e", "no way"),
    ],
)
def test_odd_values(field: str, value: Any, expected: Any) -> None:
    """A value that can't be trusted is None, or cleaned."""
    wire = {"percent": "progress_pct", "message": "error_message"}.get(field, field)
    found = run(
        reply(200, [INFO | {wire: value}]), lambda c: RunBlobProvider(c).generations("sora", 1, 0)
    )
    assert getattr(found[0], field) == expected


@pytest.mark.parametrize("token", ["", "a b", "a\n", "tök", "a\x00"])
def test_what_can_not_be_a_token_is_refused_unseen(token: str) -> None:
    """The error does not repeat what may be a mistyped secret."""
    with pytest.raises(ValueError, match="token") as caught:
        RunBlobClient(token)
    assert not token.strip() or token not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["", "ftp://x", "x.example", "https://", "https://me:pw@x.example", "https://x/?a=1"]
)
def test_what_can_not_be_a_base_address_is_refused(url: str) -> None:
    """Only plain web addresses; nothing secret hides in them."""
    with pytest.raises(ValueError, match="base address"):
        RunBlobClient("tok", base_url=url)


def test_the_error_tree_answers_what_a_caller_asks() -> None:
    """``retryable`` and ``in_doubt`` exclude each other; status and details are there."""
    with pytest.raises(errors.ValidationError) as caught:
        run(reply(422, LIST_DETAIL), lambda client: client.generate("x"))
    assert caught.value.status == 422
    assert caught.value.details == ("duration: Input should be 10 or 15", "plain words")
    assert not caught.value.retryable
    with pytest.raises(errors.InDoubtError) as doubt:
        run(reply(500, {}), lambda client: client.generate("x"))
    assert doubt.value.in_doubt
    assert not doubt.value.retryable


@pytest.mark.parametrize("later", ["", "Fri, 02 Jan 2026 15:00:00 GMT"])
def test_a_clock_that_is_set_leaves_no_date_of_before(later: str) -> None:
    """The last answer has no ``Date``, or a cache's: it says nothing of the clock as it is now."""
    moment, dates = NOON, ["Fri, 02 Jan 2026 15:00:00 GMT", later]

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=[], headers={"Date": dates.pop(0)})

    async def main() -> tuple[timedelta | None, timedelta | None]:
        nonlocal moment
        transport = httpx.MockTransport(answer)
        async with RunBlobClient("tok", transport=transport, now=lambda: moment) as client:
            await client.list_generations()
            before = client.clock_ahead
            moment += timedelta(hours=30)
            await client.list_generations()
            return before, client.clock_ahead

    assert asyncio.run(main()) == (timedelta(hours=3), None)
