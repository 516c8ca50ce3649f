"""An API that means harm, or is none at all: over real HTTP on loopback."""

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import pytest
from support.hostile_texts import hostile_texts
from support.hosts import Answer, Host, hosting, reply
from support.providers import request_for
from support.times import little_time

from batchsora.providers.model import Model
from batchsora.providers.registry import FAMILIES, MODELS
from batchsora.providers.runblob.adapter import RunBlobProvider
from batchsora.providers.runblob.client import RunBlobClient
from batchsora.providers.runblob.errors import RunBlobError
from batchsora.providers.runblob.wire import LARGEST_ANSWER
from batchsora.providers.runblob.words import LONGEST, clean
from jobs.model.families import family_of, named_id, provider_id
from jobs.model.money import Micros
from jobs.model.provider import (
    Accepted,
    Generation,
    GenerationPhase,
    GenerationRequest,
    InDoubt,
    ProviderError,
    SubmitOutcome,
)
from jobs.model.states import FailureKind

TOKEN = "tok-hostile-7f3a9c"
REQUEST = GenerationRequest("a red kite", "9:16", 10)
FIRST = {one.family: one for one in reversed(MODELS.values())}
every_family = pytest.mark.parametrize("family", FIRST)
every_list = pytest.mark.parametrize("family", [name for name in FIRST if FAMILIES[name].has_list])
T = TypeVar("T")


def created(**fields: Any) -> bytes:
    return json.dumps({"generation_id": "gen-1", "price": "0.12"} | fields).encode()


def asked(answer: Answer, call: Callable[[RunBlobProvider], Awaitable[T]]) -> T:
    async def main() -> T:
        async with hosting(answer) as host, RunBlobClient(TOKEN, base_url=host.url) as client:
            return await call(RunBlobProvider(client))

    return asyncio.run(main())


def submit(answer: Answer, request: GenerationRequest = REQUEST) -> SubmitOutcome:
    return asked(answer, lambda provider: provider.submit(request, "key", lambda: True))


def listed(family: str, *entries: Any) -> list[Generation]:
    """Read a page of a family's list, of these entries."""
    page = reply(json.dumps(entries).encode())
    return [*asked(page, lambda provider: provider.generations(family, 100, 0))]


BOMB = gzip.compress(bytes(100_000_000), 1)
NESTED = b'{"generation_id": "gen-1", "x": ' + b"[" * 5000 + b"]" * 5000 + b"}"
TWICE = b'{"generation_id": "gen-1", "generation_id": "gen-2", "price": "0.12"}'
IDS = [
    "a/b", "..", ".", "a\nb", "a%2fb", "%2e%2e", "a\x1b[2J", "x" * 10_240, "", "a b", "ä", "a?b",
    ":", "a:b", "veo:6f9a", "sora:6f9a", "veo:../x", "a\\b", "a\0b", "\u202eb",
]  # fmt: skip
NO_ANSWERS = {
    "HTML": reply(b"<!doctype html><title>Welcome</title>", "Content-Type: text/html"),
    "nothing": reply(b""),
    "null": reply(b"null"),
    "a list": reply(b"[" + created() + b"]"),
    "a text": reply(b'"gen-1"'),
    "deeply nested": reply(NESTED),
    "a million digits": reply(b'{"generation_id": "gen-1", "price": ' + b"9" * 10**6 + b"}"),
    "names twice": reply(TWICE),
    "not UTF-8": reply(b'{"generation_id": "gen-1", "x": "\xff"}'),
    "half a pair as id": reply(b'{"generation_id": "\\ud83d"}'),
    "a bomb": reply(BOMB, "Content-Encoding: gzip"),
    "a bomb in a bomb": reply(gzip.compress(BOMB), "Content-Encoding: gzip, gzip"),
    "a packing unasked for": reply(created(), "Content-Encoding: br"),
    "a torn packing": reply(gzip.compress(created())[:-9], "Content-Encoding: gzip"),
    "no packing": reply(created(), "Content-Encoding: gzip"),
    "a length too short": reply(created(), length=9),
    "a length too long": reply(created(), length=999),
    "a negative length": reply(created(), length=-1),
    "two lengths": reply(created(), "Content-Length: 3"),
    "a broken chunk": b"HTTP/1.1 201 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + created(),
} | {f"id {text[:9]!a}": reply(created(generation_id=text)) for text in IDS}


@every_family
@pytest.mark.parametrize("answer", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_a_yes_that_can_not_be_read_is_in_doubt(answer: bytes, family: str) -> None:
    """Something may have been bought: never an exception, a refusal or somebody else's id."""
    outcome = submit(answer.replace(b"200 OK", b"201 Created", 1), request_for(FIRST[family]))
    assert isinstance(outcome, InDoubt)
    assert len(outcome.reason) < 1000
    assert outcome.reason.isprintable()


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_a_body_without_end_costs_little(packed: bool) -> None:  # noqa: FBT001 - a table's column
    """Neither an endless stream nor a bomb is held in memory; both leave a doubt."""
    chunk = BOMB if packed else bytes(2**20)
    head = b"HTTP/1.1 201 OK\r\nTransfer-Encoding: chunked\r\n"
    head += b"Content-Encoding: gzip\r\n\r\n" if packed else b"\r\n"

    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            await writer.drain()

    tracemalloc.start()
    try:
        outcome = submit(endless)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(outcome, InDoubt)
    assert peak < 5 * LARGEST_ANSWER


@pytest.mark.parametrize(
    "price", ["1e400", "-1", "Infinity", "NaN", '"sNaN"', "true", "[]", "null", "9" * 4000, "{}"]
)
@every_family
def test_an_absurd_price_is_no_price(price: str, family: str) -> None:
    """What was bought was bought; its price is then unknown, never absurd."""
    body = f'{{"generation_id": "gen-1", "price": {price}}}'.encode()
    outcome = submit(reply(body, status="201 Created"), request_for(FIRST[family]))
    assert outcome == Accepted(named_id(family, "gen-1"), None)


@every_family
@pytest.mark.parametrize("price", ['"0.32"', "0.32", '"0.3200"', "32e-2"])
def test_a_price_is_read_as_text_and_as_a_number(price: str, family: str) -> None:
    """The package has it as text for each family; a number is as good."""
    body = f'{{"generation_id": "gen-1", "seed": null, "price": {price}}}'.encode()
    outcome = submit(reply(body, status="201 Created"), request_for(FIRST[family]))
    assert outcome == Accepted(named_id(family, "gen-1"), Micros(320_000))


def test_names_that_are_no_text_break_nothing() -> None:
    """Half a surrogate pair in a name, at any depth, hides neither an acceptance nor an entry."""
    odd = b'{"generation_id": "gen-1", "price": "0.12", "\\ud800": 1, "x": {"\\udfff": [2]}}'
    assert submit(reply(odd, status="201 Created")) == Accepted("gen-1", 120_000)
    assert asked(reply(odd), lambda p: p.generation("gen-1")).id == "gen-1"
    unusable = odd.replace(b"gen-1", b"../x")
    page = asked(reply(b"[" + odd + b"," + unusable + b"]"), lambda p: p.generations("sora", 9, 0))
    assert [item.id.partition("-")[0] for item in page] == ["gen", "unusable"]


WRONG = [None, True, -1, 10**400, 1e308, "", "\x1b[2J", "<b>", "\ud800", [], [[]], {}, {"a": None}]
FIELDS = [
    "generation_id", "status", "prompt", "video_url", "created_at", "completed_at",
    "progress_pct", "progress_pos_in_queue", "error_message", "error", "seed", "model",
    "description",
]  # fmt: skip


def checked(item: Generation | int) -> None:
    if isinstance(item, int):
        assert item >= 0
        return
    for text in (item.id, item.video_url, item.message):
        assert text is None or text.isprintable()
    assert item.percent is None or 0 <= item.percent <= 100
    assert item.queue_position is None or 0 <= item.queue_position <= 2**53
    assert item.prompt is None or item.prompt.encode()


@every_list
def test_wrong_types_everywhere_are_nothing(family: str) -> None:
    """A field of any wrong kind is left out, and the entry keeps its place."""
    documents = [{name: value} for name in FIELDS for value in WRONG]
    documents += [dict.fromkeys(FIELDS, value) for value in WRONG]
    found = listed(family, *documents)
    assert len(found) == len(documents)
    for item in found:
        checked(item)
        assert family_of(item.id) == family
        assert item.mark is None


@every_list
@pytest.mark.parametrize("name", IDS, ids=lambda name: repr(name[:9]))
def test_an_entry_with_an_unusable_id_can_not_be_adopted(family: str, name: str) -> None:
    """It keeps its place in its own family's list, and says nothing that a row could match.

    An id with the name of a family in it is never taken for that family's.
    """
    said = {"generation_id": name, "prompt": "a red kite", "status": "completed", "seed": 7}
    (found,) = listed(family, said)
    assert family_of(found.id) == family
    assert provider_id(found.id).startswith("unusable-")
    assert (found.prompt, found.mark) == (None, None)


ABSENT = object()
TIMES = [
    ABSENT, None, True, 0, -1, 1, 10**30, 1e308, "", "now", "2026-13-45T00:00:00", [], {},
    "0001-01-01T00:00:00", "9999-12-31T23:59:59", "1970-01-01T00:00:00Z", ["2026-01-02T12:00:00"],
]  # fmt: skip


@every_list
@pytest.mark.parametrize("moment", TIMES, ids=lambda moment: str(moment)[:20])
def test_a_time_that_is_absurd_is_none(family: str, moment: object) -> None:
    """Nothing is settled by it, and the rest of the entry counts."""
    said = {"generation_id": "gen-1", "prompt": "a red kite", "status": "completed", "seed": 7}
    if moment is not ABSENT:
        said |= {"created_at": moment, "completed_at": moment}
    (found,) = listed(family, said)
    assert found.created_at is None
    assert (found.id, found.prompt) == (named_id(family, "gen-1"), "a red kite")
    assert found.phase is GenerationPhase.COMPLETED


MARKED = [one for one in FIRST.values() if one.mark is not None]
SEEDS: tuple[tuple[object, int | None], ...] = (
    (7, 7), ("7", 7), ("007", 7), (0, 0), (1_000_000_000, 1_000_000_000),
    (1_000_000_001, None), (-7, None), ("-7", None), (7.5, None), ("7.0", None), (1e9, None),
    (10**300, None), ("9" * 400, None), (True, None), (False, None), (None, None), (ABSENT, None),
    ([7], None), ({"seed": 7}, None), ("", None), ("seven", None), ("\u0667", None), (" 7", None),
)  # fmt: skip


@pytest.mark.parametrize("model", MARKED, ids=lambda model: model.family)
@pytest.mark.parametrize(("seed", "expected"), SEEDS, ids=lambda value: str(value)[:20])
def test_a_mark_is_a_seed_that_somebody_can_have_asked_for(
    model: Model, seed: object, expected: int | None
) -> None:
    """Anything else hides it. It must not look like another one's: then ours would count as absent.

    So in the list and in a single look.
    """
    said = {"generation_id": "gen-1", "prompt": "a red kite", "status": "pending"}
    said |= {} if seed is ABSENT else {str(model.mark): seed}
    body = reply(json.dumps(said).encode())
    name = named_id(model.family, "gen-1")
    single = asked(body, lambda provider: provider.generation(name))
    for found in (*listed(model.family, said), single):
        assert found.mark == (None if expected is None else f"{model.mark}={expected}")
        assert (found.id, found.prompt) == (name, "a red kite")


def test_only_a_family_with_marks_shows_one() -> None:
    """A seed in another list is nobody's mark."""
    for family in (name for name, model in FIRST.items() if model.mark is None):
        if FAMILIES[family].has_list:
            (found,) = listed(family, {"generation_id": "gen-1", "seed": 7})
            assert found.mark is None


@every_list
def test_a_list_that_mixes_models_keeps_all_entries(family: str) -> None:
    """Of models that we don't know, of other families, or of none: each in its place."""
    names = ["kling_2.6", "kling_3_motion", "veo_3_fast", "sora", "", None, 7, ["kling_2.6"]]
    entries = [
        {"generation_id": f"gen-{number}", "prompt": "a red kite", "model": name}
        for number, name in enumerate(names)
    ]
    found = listed(family, *entries)
    assert [one.id for one in found] == [named_id(family, f"gen-{n}") for n in range(len(names))]
    assert {one.prompt for one in found} == {"a red kite"}


ERRORS: tuple[tuple[dict[str, Any], GenerationPhase, FailureKind | None], ...] = (
    ({"status": "pending", "error": {}}, GenerationPhase.PENDING, None),
    ({"status": "processing", "error": {"message": "slow"}}, GenerationPhase.PROCESSING, None),
    ({"status": "completed", "error": None}, GenerationPhase.COMPLETED, None),
    ({"status": "failed", "error": {}}, GenerationPhase.FAILED, FailureKind.UNKNOWN),
    ({"status": "failed", "error": {"message": None}}, GenerationPhase.FAILED,
     FailureKind.UNKNOWN),
    ({"status": "failed", "error": {"message": "Internal error"}}, GenerationPhase.FAILED,
     FailureKind.SYSTEM),
    ({"status": "failed", "error": {"code": 500, "message": "Internal server error"}},
     GenerationPhase.FAILED, FailureKind.SYSTEM),
    ({"status": "failed", "error": {"code": "X9", "message": "Internal server error"}},
     GenerationPhase.FAILED, FailureKind.UNKNOWN),
    ({"status": "failed", "error": {"message": {"reason": "content policy violation"}}},
     GenerationPhase.FAILED, FailureKind.CONTENT),
    ({"status": "failed", "error": {"status": "processing"}}, GenerationPhase.UNKNOWN, None),
    ({"status": "failed", "description": "Internal error"}, GenerationPhase.FAILED,
     FailureKind.UNKNOWN),
    ({"status": "failed", "description": "content policy violation"}, GenerationPhase.FAILED,
     FailureKind.CONTENT),
)  # fmt: skip


@every_family
@pytest.mark.parametrize(("said", "phase", "failure"), ERRORS, ids=lambda value: str(value)[:60])
def test_an_error_that_is_an_object_is_read(
    family: str, said: dict[str, Any], phase: GenerationPhase, failure: FailureKind | None
) -> None:
    """As Veo has it: an end only beside a word for it, and understood only as a whole."""
    body = reply(json.dumps({"generation_id": "gen-1"} | said).encode())
    found = asked(body, lambda provider: provider.generation(named_id(family, "gen-1")))
    assert (found.phase, found.failure) == (phase, failure)


READS = {
    "status": lambda p: p.generation("gen-1"),
    "list": lambda p: p.generations("sora", 100, 0),
    "balance": lambda p: p.balance(),
}


@pytest.mark.parametrize("call", READS.values(), ids=READS)
def test_a_read_of_nonsense_is_an_error_of_the_provider(
    call: Callable[[RunBlobProvider], Awaitable[Any]],
) -> None:
    """No document and no framing raises anything that the engine does not know."""
    bodies = [json.dumps(value).encode() for value in WRONG] + [b"NaN", b'{"balance": 1e400}']
    answers = [
        *(a for name, a in NO_ANSWERS.items() if not name.startswith(("id", "names", "a list"))),
        *(reply(body) for body in bodies),
    ]
    for answer in answers:
        try:
            found = asked(answer, call)
        except ProviderError as error:
            said = str(error)
            assert said.isprintable()
            assert len(said) < 1000
        else:
            for item in found if isinstance(found, list) else [found]:
                checked(item)


def test_a_debt_is_no_money() -> None:
    """A balance below zero is nothing, and one beyond all measure is none."""
    assert asked(reply(b'{"balance": -1e9}'), lambda provider: provider.balance()) == 0
    with pytest.raises(ProviderError):
        asked(reply(b'{"balance": 1e400}'), lambda provider: provider.balance())


def test_the_apis_words_drive_no_terminal_and_hide_no_token() -> None:
    """Escapes, writing directions and an echoed token are taken out of what is said and kept."""
    words = f"no\x1b[2J\x9b31m \u202eway\x07 {TOKEN}\r\n"
    failed = created(status="failed", error_message=words)
    item = asked(reply(failed), lambda provider: provider.generation("gen-1"))
    assert item.message == "no way ***"
    page = asked(reply(b"[" + failed + b"]"), lambda provider: provider.generations("sora", 9, 0))
    assert page[0].message == "no way ***"
    for body in (json.dumps({"detail": words}), json.dumps({"detail": [{"loc": [words]}]})):
        refusal = submit(reply(body.encode(), status="422 No"))
        assert TOKEN not in repr(refusal)
        assert "no way ***" in repr(refusal)


def test_a_cut_never_leaves_most_of_the_token() -> None:
    """However far away it stands behind white space, it is replaced before the text is cut."""
    for blanks in range(LONGEST * 20 - 40, LONGEST * 20 + 40):
        assert TOKEN[:6] not in clean(" " * blanks + TOKEN, TOKEN)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_read_is_redirected(status: int) -> None:
    """The token goes to the API's own origin alone, whatever a redirect asks for."""

    async def main() -> tuple[Host, Host]:
        async with hosting(reply(b"{}")) as elsewhere:
            moved = reply(b"", f"Location: {elsewhere.url}/v1/x", status=f"{status} Moved")
            async with hosting(moved) as api, RunBlobClient(TOKEN, base_url=api.url) as client:
                calls = (client.status("a"), client.list_generations(), client.get_balance())
                for call in calls:
                    with pytest.raises(RunBlobError):
                        await call
                return api, elsewhere

    api, elsewhere = asyncio.run(main())
    assert len(api.heads) == 3
    assert all(TOKEN in head for head in api.heads)
    assert elsewhere.connections == 0


def filled(piece: bytes, size: int = LARGEST_ANSWER - 1000) -> bytes:
    """Repeat something up to almost the largest answer that is read."""
    return piece * (size // len(piece))


SLOW = {
    "titles without end": filled(b"<title"),
    "titles with a space": filled(b"<title "),
    "one title": b"<title" + filled(b"a"),
    "brackets": filled(b"["),
    "braces": filled(b'{"a":'),
    "many lists": b"[" + filled(b"[],", 2_000_000) + b"1]",
    "digits": b'{"price": ' + filled(b"9") + b"}",
    "one name again and again": b"{" + filled(b'"a":1,', 2_000_000) + b'"a":1}',
    "sentences": json.dumps({"detail": ["a. " * 20_000] * 20}).encode(),
    "dots": json.dumps({"detail": ["a." * 20_000] * 20}).encode(),
    "quotations": json.dumps({"detail": ['"a red kite" ' * 5_000] * 20}).encode(),
    "halves of pairs": b'{"detail": "' + filled(b"\\ud800", 2_000_000) + b'"}',
    "NUL": b'{"detail": "' + filled(b"\\u0000", 2_000_000) + b'"}',
    "bare NUL": filled(b"\0"),
} | {
    name: json.dumps({"detail": [f"prompt: {text}", text], "error": text}).encode()
    for name, text in hostile_texts(200_000).items()
}


@pytest.mark.parametrize("body", SLOW.values(), ids=SLOW)
def test_no_answer_takes_more_time_than_its_size_justifies(body: bytes) -> None:
    """Everything else of a run would wait: as a refusal, as an error, and as an acceptance."""
    with little_time():
        for status in ("201 Created", "400 No", "403 No", "422 No", "500 Oh"):
            outcome = submit(reply(body, status=status))
            assert not isinstance(outcome, Accepted)
    with little_time():
        for call in READS.values():
            with pytest.raises(ProviderError):
                asked(reply(body, status="500 Oh"), call)


NUMBERS = ["1e999999", "1e99999999", "-1e99999999", "1e-99999999", '"1e99999999"', "9" * 4000]
MEASURES = [
    "price",
    "balance",
    "created_at",
    "completed_at",
    "progress_pct",
    "progress_pos_in_queue",
]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number[:12])
def test_a_number_beyond_all_measure_is_never_written_out(number: str) -> None:
    """``int(Decimal("1e99999999"))`` has a hundred million digits, and takes minutes."""
    fields = ", ".join(f'"{name}": {number}' for name in MEASURES)
    body = f'{{"generation_id": "gen-1", "status": "processing", {fields}}}'.encode()
    with little_time():
        outcome = submit(reply(body, status="201 Created"))
        assert isinstance(outcome, Accepted)
        assert outcome.price is None or outcome.price <= 1
        checked(asked(reply(body), lambda provider: provider.generation("gen-1")))
        for item in asked(
            reply(b"[" + body + b"]"), lambda provider: provider.generations("sora", 9, 0)
        ):
            checked(item)
        with suppress(ProviderError):
            assert asked(reply(body), lambda provider: provider.balance()) <= 1
    wait = f"Retry-After: {number.strip(chr(34))}"
    with little_time():
        submit(reply(b"{}", wait, status="429 Too Many Requests"))
