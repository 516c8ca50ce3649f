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
from support.times import little_time

from batchsora.providers.runblob.adapter import RunBlobProvider
from batchsora.providers.runblob.client import RunBlobClient
from batchsora.providers.runblob.errors import RunBlobError
from batchsora.providers.runblob.wire import LARGEST_ANSWER
from batchsora.providers.runblob.words import LONGEST, clean
from jobs.model.provider import (
    Accepted,
    Generation,
    GenerationRequest,
    InDoubt,
    ProviderError,
    SubmitOutcome,
)

TOKEN = "tok-hostile-7f3a9c"
REQUEST = GenerationRequest("a red kite", "9:16", 10)
T = TypeVar("T")


def created(**fields: Any) -> bytes:
    return json.dumps({"generation_id": "gen-1", "price": "0.12"} | fields).encode()


def asked(answer: Answer, call: Callable[[RunBlobProvider], Awaitable[T]]) -> T:
    async def main() -> T:
        async with hosting(answer) as host, RunBlobClient(TOKEN, base_url=host.url) as client:
            return await call(RunBlobProvider(client))

    return asyncio.run(main())


def submit(answer: Answer) -> SubmitOutcome:
    return asked(answer, lambda provider: provider.submit(REQUEST, "key", lambda: True))


BOMB = gzip.compress(bytes(100_000_000), 1)
NESTED = b'{"generation_id": "gen-1", "x": ' + b"[" * 5000 + b"]" * 5000 + b"}"
TWICE = b'{"generation_id": "gen-1", "generation_id": "gen-2", "price": "0.12"}'
IDS = ["a/b", "..", ".", "a\nb", "a%2fb", "%2e%2e", "a\x1b[2J", "x" * 10_240, "", "a b", "ä", "a?b"]
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


@pytest.mark.parametrize("answer", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_a_yes_that_can_not_be_read_is_in_doubt(answer: bytes) -> None:
    """Something may have been bought: never an exception, a refusal or somebody else's id."""
    outcome = submit(answer.replace(b"200 OK", b"201 Created", 1))
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
def test_an_absurd_price_is_no_price(price: str) -> None:
    """What was bought was bought; its price is then unknown, never absurd."""
    body = f'{{"generation_id": "gen-1", "price": {price}}}'.encode()
    assert submit(reply(body, status="201 Created")) == Accepted("gen-1", None)


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
    "progress_pct", "progress_pos_in_queue", "error_message",
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


def test_wrong_types_everywhere_are_nothing() -> None:
    """A field of any wrong kind is left out, and the entry keeps its place."""
    documents = [{name: value} for name in FIELDS for value in WRONG]
    documents += [dict.fromkeys(FIELDS, value) for value in WRONG]
    body = json.dumps(documents).encode()
    found = asked(reply(body), lambda provider: provider.generations("sora", 100, 0))
    assert len(found) == len(documents)
    for item in found:
        checked(item)


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
