"""Many wanted files: each is tried, nothing is read whole, and all together keep to their rate."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path, PurePosixPath

import httpx
import pytest
from sqlalchemy import Connection
from support.another import as_root
from support.at_once import run_at_once
from support.engine import Engine, spec

from batchsora.download import PAGE, SLOW, Downloader, DownloadPolicy
from batchsora.fetch.pace import Pace, rate_of
from batchsora.run_result import DownloadReport
from jobs.model.provider import (
    Generation,
    ProviderError,
    ThrottledError,
    TokenRefusedError,
    UnreachableError,
)
from jobs.queries import batches
from jobs.runtime.run_context import nothing
from jobs.store import files
from jobs.store.prepared import driver

SIZE = 300_000
VIDEO = (b"\0\0\0\x18ftypmp42" + bytes(SIZE))[:SIZE]
PIECE = 16_384
Handler = Callable[[httpx.Request], httpx.Response]
WANTED_AGAIN = "UPDATE job SET filed_attempt_id = NULL WHERE id = ?"


class Body(httpx.AsyncByteStream):
    """A file in pieces; what is taken of it is written down with its time."""

    def __init__(self, taken: list[tuple[float, int]]) -> None:
        self._taken = taken

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, SIZE, PIECE):
            piece = VIDEO[start : start + PIECE]
            self._taken.append((asyncio.get_running_loop().time(), len(piece)))
            yield piece


class Server:
    """A file server.

    Attributes:
        taken: when, and how many bytes.
        asked: paths.
    """

    def __init__(self, refuses: Callable[[str], bool] = lambda _: False) -> None:
        self._refuses = refuses
        self.taken: list[tuple[float, int]] = []
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if self._refuses(request.url.path):
            return httpx.Response(503)
        headers = {"Content-Length": str(SIZE), "ETag": '"v"'}
        return httpx.Response(200, headers=headers, stream=Body(self.taken))


@pytest.fixture
def engine(tmp_path: Path):
    made = Engine(tmp_path, takes=1.0, balance_micros=10**9)
    made.announce(s10=120_000)
    yield made
    made.store.close()


def completed(engine: Engine, count: int, batch: str = "night", number: int = 1) -> None:
    """Complete a batch of so many jobs."""
    engine.load([spec(f"r{i}", row=i) for i in range(count)], batch=batch)
    engine.run([number], max_in_flight=64, rate=0)


def downloader(engine: Engine, server: Handler, folder: Path, **policy: int) -> Downloader:
    return Downloader(
        engine.store.loading,
        engine.provider,
        httpx.AsyncClient(transport=httpx.MockTransport(server)),
        DownloadPolicy(folder, allow_private=True, **policy),
        engine.clock,
        engine.chance,
        nothing,
    )


def fetch(
    engine: Engine, server: Handler, folder: Path, batches: tuple[int, ...] = (1,), **policy: int
) -> DownloadReport:
    async def main() -> DownloadReport:
        work = downloader(engine, server, folder, **policy)
        work.finish()
        return await work.run(lambda: batches)

    return run_at_once(main())


async def until(so: Callable[[], bool]) -> None:
    """Let virtual time pass until it is so."""
    for _ in range(1000):
        if so():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("it never came")


def test_all_downloads_together_keep_to_the_rate(engine: Engine, tmp_path: Path) -> None:
    """In no second does more come than the rate, a tenth of it and a piece of each download."""
    completed(engine, 12)
    server, rate = Server(), 200_000
    assert fetch(engine, server, tmp_path / "v", rate=rate).fetched == 12
    times = [time for time, _ in server.taken]
    for begin in times:
        within = sum(size for time, size in server.taken if begin <= time < begin + 1)
        assert within <= rate * 1.1 + 4 * PIECE
    assert times[-1] - times[0] <= 12 * SIZE / rate * 1.05, "the rate is used"


def test_a_slow_rate_is_no_trickle(engine: Engine, tmp_path: Path) -> None:
    """A file may take longer than a server's patience is worth, when it is our own pace."""
    completed(engine, 2)
    server = Server()
    report = fetch(engine, server, tmp_path / "v", rate=1024 // 8)
    assert (report.fetched, report.failed) == (2, {})
    assert len(server.asked) == 2
    assert server.taken[-1][0] > 1800


def test_without_a_limit_nothing_waits(engine: Engine, tmp_path: Path) -> None:
    """No time passes in between."""
    completed(engine, 3)
    server = Server()
    assert fetch(engine, server, tmp_path / "v").fetched == 3
    assert len({time for time, _ in server.taken}) <= 3


def test_files_that_can_not_be_had_do_not_keep_others_waiting(
    engine: Engine, tmp_path: Path
) -> None:
    """Two pages of them stand first; each is tried as often as it should be."""
    count = 2 * PAGE
    engine.load([spec(f"r{i}", row=i) for i in range(count + 5)])
    engine.run(max_in_flight=64, rate=0)
    good = {f"/gen-{n}.mp4" for n in range(count, count + 5)}
    server = Server(lambda path: path not in good)
    report = fetch(engine, server, tmp_path / "v", tries=2)
    assert report.fetched == 5
    assert len(report.failed) == count
    assert all(server.asked.count(f"/gen-{n}.mp4") == 2 for n in range(count))
    assert all(server.asked.count(path) == 1 for path in good)


def test_what_is_completed_behind_the_last_look_is_fetched_too(
    engine: Engine, tmp_path: Path
) -> None:
    """Jobs are completed in any order: the downloader comes round again."""
    completed(engine, 4)
    with closing(sqlite3.connect(engine.path)) as raw, raw:
        raw.execute("UPDATE job SET filed_attempt_id = attempt_id WHERE id <= 2")
    server = Server()

    async def main() -> DownloadReport:
        work = downloader(engine, server, tmp_path / "v")
        running = asyncio.create_task(work.run(lambda: (1,)))
        await until(lambda: work.report.fetched == 2)
        engine.store.write(lambda c: driver(c).execute(WANTED_AGAIN, (1,)))
        await until(lambda: work.report.fetched == 3)
        engine.store.write(lambda c: driver(c).execute(WANTED_AGAIN, (2,)))
        work.finish()
        return await running

    assert run_at_once(main()).fetched == 4
    assert sorted(server.asked) == [f"/gen-{n}.mp4" for n in range(4)]


def test_files_of_several_batches_are_fetched(engine: Engine, tmp_path: Path) -> None:
    """Page by page, batch after batch, into a folder each; other batches are left alone."""
    for number, name in enumerate(("a", "b", "c"), 1):
        completed(engine, 60, name, number)
    server = Server()
    assert fetch(engine, server, tmp_path / "v", batches=(3, 1)).fetched == 120
    assert sorted(path.name for path in (tmp_path / "v").iterdir()) == ["a", "c"]
    assert len(server.asked) == 120


OLD, FRESH = "/gen-0.mp4", "/fresh.mp4"
HTML = b"<!doctype html><title>Log in</title><p>Your link has expired."
VIDEO_TYPE = {"Content-Type": "video/mp4"}
Answer = tuple[int, dict[str, str], bytes]

NOT_THE_FILE: dict[str, Answer] = {
    "400": (400, {}, b""),
    "401": (401, {}, b""),
    "403": (403, {}, b""),
    "404": (404, {}, b""),
    "410": (410, {}, b""),
    "418": (418, {}, b""),
    "451": (451, {}, b""),
    "204": (204, {}, b""),
    "login": (302, {"Location": "http://videos/login"}, b""),
    "other scheme": (302, {"Location": "ftp://videos/v.mp4"}, b""),
    "circle": (302, {"Location": f"http://videos{OLD}"}, b""),
    "nowhere": (302, {}, b""),
    "HTML": (200, VIDEO_TYPE, HTML),
    "JSON": (200, VIDEO_TYPE, b'{"detail": "expired"}'),
    "XML": (200, VIDEO_TYPE, b"<?xml version='1.0'?><Error/>"),
    "empty": (200, VIDEO_TYPE, b""),
}
"""What an address answers that does not lead to the file any more: a fresh one is asked for."""

PASSES: dict[str, Answer | Exception] = {
    "408": (408, {}, b""),
    "429": (429, {}, b""),
    "500": (500, {}, b""),
    "503": (503, {}, b""),
    "broken": httpx.ConnectError("no such host"),
}
"""What may pass by itself: once it is waited for, then a fresh address is asked for as well."""


class Piece(httpx.AsyncByteStream):
    """A body, all at once."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._body:
            yield self._body


class Moved:
    """A file server at whose old address something else is; the API names another."""

    def __init__(
        self,
        engine: Engine,
        answer: Answer | Exception,
        fresh: str = "http://videos/fresh.mp4",
    ) -> None:
        self._engine = engine
        self._answer = answer
        self._generation, self._generations = (
            engine.provider.generation,
            engine.provider.generations,
        )
        self._good = Server()
        self.fresh: str | None = fresh
        self.asked: list[str] = []
        self.looks: list[str] = []
        self.single: Exception | None = None
        engine.provider.generation = self.generation  # type: ignore[method-assign]
        engine.provider.generations = self.generations  # type: ignore[method-assign]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if request.url.path == FRESH:
            return self._good(request)
        if request.url.path == "/login":
            return httpx.Response(200, stream=Piece(HTML))
        if isinstance(self._answer, Exception):
            raise self._answer
        status, headers, body = self._answer
        return httpx.Response(status, headers=headers, stream=Piece(body))

    async def generation(self, generation_id: str) -> Generation:
        self.looks.append("single")
        if self.single is not None:
            raise self.single
        return replace(await self._generation(generation_id), video_url=self.fresh)

    async def generations(self, family: str, limit: int, offset: int) -> Sequence[Generation]:
        del family
        self.looks.append("list")
        page = await self._generations("sora", limit, offset)
        return [replace(entry, video_url=self.fresh) for entry in page]


def moved(engine: Engine, answer: Answer | Exception) -> Moved:
    completed(engine, 1)
    return Moved(engine, answer)


@pytest.mark.parametrize("answer", NOT_THE_FILE.values(), ids=NOT_THE_FILE)
def test_whatever_an_address_answers_but_a_file_a_fresh_one_is_asked_for(
    answer: Answer, engine: Engine, tmp_path: Path
) -> None:
    """At once, in the same try."""
    server = moved(engine, answer)
    report = fetch(engine, server, tmp_path / "v", tries=1)
    assert (report.fetched, report.failed) == (1, {})
    assert server.looks == ["single"]
    assert server.asked[-1] == FRESH
    assert (tmp_path / "v" / "night" / "r0.mp4").read_bytes() == VIDEO


@pytest.mark.parametrize("answer", PASSES.values(), ids=PASSES)
def test_what_may_pass_is_waited_for_once(
    answer: Answer | Exception, engine: Engine, tmp_path: Path
) -> None:
    """The second time a fresh address is asked for."""
    server = moved(engine, answer)
    assert fetch(engine, server, tmp_path / "v").fetched == 1
    assert server.looks == ["single"]
    assert server.asked == [OLD, OLD, FRESH]


@pytest.mark.parametrize("problem", [UnreachableError("500"), TokenRefusedError("403")])
def test_the_list_is_asked_where_the_generation_can_not_be_looked_at(
    problem: ProviderError, engine: Engine, tmp_path: Path
) -> None:
    """One page of it, here."""
    server = moved(engine, (403, {}, b""))
    server.single = problem
    assert fetch(engine, server, tmp_path / "v", tries=1).fetched == 1
    assert server.looks == ["single", "list"]


GIVEN_UP = {
    "nowhere": (
        None,
        UnreachableError("down"),
        ["single", "list", "list"],
        "asking the API for a new one failed: down",
    ),
    "unnamed": (None, None, ["single", "list", "list"], "gave no new one"),
    "the same": (f"http://videos{OLD}", None, ["single"], "answered 400"),
    "throttled": (None, ThrottledError("slow down"), ["single"], "slow down"),
    "private": ("http://127.0.0.1/v.mp4", None, ["single"], "private network"),
    "no web": ("file:///etc/passwd", None, ["single"], "not a web address"),
}


@pytest.mark.parametrize(("fresh", "single", "looks", "says"), GIVEN_UP.values(), ids=GIVEN_UP)
def test_a_fresh_address_that_can_not_be_had_is_reported(
    fresh: str | None,
    single: Exception | None,
    looks: list[str],
    says: str,
    engine: Engine,
    tmp_path: Path,
) -> None:
    """The number of looks is bounded, and a fresh address goes through the same checks."""
    server = moved(engine, (400, {}, b""))
    server.fresh, server.single = fresh, single

    async def main() -> DownloadReport:
        policy = DownloadPolicy(tmp_path / "v", tries=1)
        http = httpx.AsyncClient(transport=httpx.MockTransport(server))
        clock = engine.clock
        work = Downloader(
            engine.store.loading, engine.provider, http, policy, clock, engine.chance, nothing
        )
        work.finish()
        return await work.run(lambda: (1,))

    report = run_at_once(main())
    assert report.fetched == 0
    assert says in report.failed["r0"]
    assert server.looks == looks
    assert FRESH not in server.asked


def test_files_given_up_are_tried_for_as_long_as_the_run_goes_on(
    engine: Engine, tmp_path: Path
) -> None:
    """A few times soon, then slowly; a file that can be had after hours is here."""
    completed(engine, 2)
    begun = engine.clock.monotonic()
    tried: list[float] = []

    def refuses(path: str) -> bool:
        if path == OLD:
            tried.append(engine.clock.monotonic() - begun)
            return tried[-1] < 6 * 3600
        return False

    server = Server(refuses)

    async def main() -> DownloadReport:
        work = downloader(engine, server, tmp_path / "v")
        running = asyncio.create_task(work.run(lambda: (1,)))
        await asyncio.sleep(7 * 3600)
        work.finish()
        return await running

    report = run_at_once(main())
    assert (report.fetched, report.failed) == (2, {})
    pauses = [later - sooner for sooner, later in pairwise(tried)]
    shortest, longest = SLOW
    assert len(pauses) > 4 + 6 * 3600 / longest
    assert all(pause < 61 + 1 for pause in pauses[:3])
    assert all(shortest <= pause < longest + 2 for pause in pauses[3:])


def test_what_was_given_up_gets_one_last_try_when_the_run_ends(
    engine: Engine, tmp_path: Path
) -> None:
    """At once, and no more than that; one that comes then is fetched."""
    completed(engine, 2)
    ended: list[int] = []
    server = Server(lambda path: path == OLD or not ended)

    async def main() -> DownloadReport:
        work = downloader(engine, server, tmp_path / "v", tries=2)
        running = asyncio.create_task(work.run(lambda: (1,)))
        await until(lambda: server.asked.count(OLD) >= 2 and len(server.asked) >= 4)
        await asyncio.sleep(5)
        ended.append(len(server.asked))
        work.finish()
        before = engine.clock.monotonic()
        report = await running
        assert engine.clock.monotonic() - before < 10
        return report

    report = run_at_once(main())
    assert report.fetched == 1
    assert list(report.failed) == ["r0"]
    assert sorted(server.asked[ended[0] :]) == [OLD, "/gen-1.mp4"]


@pytest.mark.parametrize("keys", [(), ("r1", "r2")])
def test_no_look_for_files_reads_completed_jobs(engine: Engine, keys: tuple[str, ...]) -> None:
    """What is wanted, and how much that is, comes from the index of jobs without a file."""
    completed(engine, 3)
    statements: list[str] = []
    engine.store.read(lambda c: driver(c).set_trace_callback(statements.append))
    found = engine.store.read(
        lambda c: files.wanted_files(c, [1], 10, keys=keys),
    )
    assert [item.key for item in found] == [f"r{n}" for n in range(3) if not keys or n]
    assert engine.store.read(lambda c: batches.files_missing(driver(c), 1)) == 3
    queries = [one.strip() for one in statements if one.strip().startswith("SELECT")]
    assert len(queries) == 2
    with closing(sqlite3.connect(engine.path)) as raw:
        for query in queries:
            plan = [row[3] for row in raw.execute("EXPLAIN QUERY PLAN " + query)]
            assert "job USING" in plan[0]
            assert "ix_job_unfiled" in plan[0]
            assert not [step for step in plan if "TEMP B-TREE" in step]


def test_a_file_that_is_gone_is_wanted_again_without_a_look_at_all_jobs(
    engine: Engine, tmp_path: Path
) -> None:
    """Each is found by its number, whoever deleted thousands."""
    completed(engine, 3)
    fetch(engine, Server(), tmp_path / "v")
    statements: list[str] = []
    engine.store.write(lambda c: driver(c).set_trace_callback(statements.append))
    engine.store.write(
        lambda c: files.forget_files(c, [gone] if (gone := files.file_of(c, 2)) else [])
    )
    engine.store.write(lambda c: driver(c).set_trace_callback(None))
    wanted = engine.store.read(lambda c: files.wanted_files(c, [1], 10))
    assert [item.attempt_id for item in wanted] == [2]
    changes = [statement for statement in statements if statement.startswith("UPDATE")]
    assert len(changes) == 2
    with closing(sqlite3.connect(engine.path)) as raw:
        for change in changes:
            plan = [row[3] for row in raw.execute("EXPLAIN QUERY PLAN " + change)]
            assert not [step for step in plan if step.startswith("SCAN")]


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("2M", 2 * 1024**2),
        ("500K", 500 * 1024),
        ("1.5m", 1024**2 * 3 // 2),
        (" 2 MB/s ", 2 * 1024**2),
        ("1g", 1024**3),
        ("4096", 4096),
        (1e6, 10**6),
        (0, 0),
        ("0.0M", 0),
    ],
)
def test_rates(text: str | float, rate: int) -> None:
    """As people write them; units are powers of 1024."""
    assert rate_of(text) == rate


@pytest.mark.parametrize(
    "text",
    ["", "fast", "-1", "1e9", "2T", "M", "nan", "inf", "1023", "0.5K", "2000G", "2M 3M", "2,5M"],
)
def test_what_is_no_rate(text: str) -> None:
    """It is said what is, and what was found."""
    with pytest.raises(ValueError, match="bytes per second") as caught:
        rate_of(text)
    assert repr(text) in str(caught.value)


def test_a_pace_catches_up_but_does_not_save(engine: Engine) -> None:
    """After a pause little more than the rate comes at once."""

    async def main() -> list[float]:
        pace = Pace(1000, engine.clock)
        await asyncio.sleep(3600)
        return [pace.charge(100), pace.charge(1000), pace.charge(1000)]

    assert run_at_once(main()) == pytest.approx([0, 1, 2])


def link(path: Path, target: Path) -> None:
    """Put a link in place of a folder."""
    target.mkdir(exist_ok=True)
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(target, target_is_directory=True)


@pytest.mark.parametrize("dangling", [True, False])
def test_a_link_in_place_of_a_batchs_folder_is_not_written_through(
    engine: Engine, tmp_path: Path, *, dangling: bool
) -> None:
    """It may have come with the folder; the error names it and what to do, and nothing is asked."""
    completed(engine, 2)
    server, folder, home = Server(), tmp_path / "videos", tmp_path / "home"
    link(folder / "night", home)
    (home / "r0.mp4").write_bytes(b"mine")
    if dangling:
        (home / "r0.mp4").unlink()
        home.rmdir()
    report = fetch(engine, server, folder)
    assert (report.fetched, len(report.failed)) == (0, 2)
    said = report.failed["r0"]
    assert f"{folder / 'night'}" in said
    assert "it is a link, which is not followed: move it away, or name another folder" in said
    assert "--download FOLDER" in said
    assert server.asked == []
    assert home.exists() is not dangling
    if not dangling:
        assert [path.name for path in home.iterdir()] == ["r0.mp4"]
        assert (home / "r0.mp4").read_bytes() == b"mine"
    (folder / "night").unlink()
    assert fetch(engine, server, folder).fetched == 2


def test_the_folder_for_videos_may_be_a_link_to_a_larger_disk(
    engine: Engine, tmp_path: Path
) -> None:
    """One's own is followed; nothing that is there is written over."""
    completed(engine, 1)
    link(tmp_path / "videos", tmp_path / "disk")
    (tmp_path / "disk" / "night").mkdir()
    (tmp_path / "disk" / "night" / "r0.mp4").write_bytes(b"mine")
    assert fetch(engine, Server(), tmp_path / "videos").fetched == 1
    assert (tmp_path / "disk" / "night" / "r0.mp4").read_bytes() == b"mine"
    assert (tmp_path / "disk" / "night" / "r0.1.mp4").read_bytes() == VIDEO


@as_root
def test_a_link_of_another_account_in_place_of_it_is_refused(
    engine: Engine, tmp_path: Path
) -> None:
    """Also where all files go into the folder itself."""
    completed(engine, 1)
    link(tmp_path / "videos", tmp_path / "home")
    os.lchown(tmp_path / "videos", 65534, 65534)
    for flat in (False, True):
        report = fetch(engine, Server(), tmp_path / "videos", flat=flat)
        assert "another user" in report.failed["r0"]
    assert list((tmp_path / "home").iterdir()) == []


def test_a_link_in_place_of_a_file_is_replaced(engine: Engine, tmp_path: Path) -> None:
    """What it leads to was not changed, whether the file is there or not."""
    completed(engine, 2)
    folder, victim = tmp_path / "videos" / "night", tmp_path / "victim"
    folder.mkdir(parents=True)
    victim.write_bytes(b"mine")
    (folder / "r0.mp4").symlink_to(victim)
    (folder / "r1.mp4").symlink_to(tmp_path / "new")
    assert fetch(engine, Server(), tmp_path / "videos").fetched == 2
    assert victim.read_bytes() == b"mine"
    assert not (tmp_path / "new").exists()
    assert (folder / "r1.mp4").read_bytes() == VIDEO
    assert not (folder / "r1.mp4").is_symlink()


@pytest.mark.parametrize("parallel", [1, 4])
@pytest.mark.parametrize("late", ["/r0", "/r1", "/r2"])
def test_no_file_takes_the_place_of_another_whatever_a_pattern_names_them(
    engine: Engine, tmp_path: Path, late: str, parallel: int
) -> None:
    """Rows that left a manifest may have the name of others, and be fetched long after them."""
    completed(engine, 3)
    passing = {late}

    def serve(request: httpx.Request) -> httpx.Response:
        if passing and request.url.path.startswith((late, "/gen")):
            return httpx.Response(503)
        body = VIDEO[:-20] + request.url.path.encode().ljust(20)
        return httpx.Response(200, headers={"Content-Length": str(SIZE)}, stream=Piece(body))

    def fetch_all() -> int:
        async def main() -> DownloadReport:
            work = downloader(engine, serve, tmp_path / "videos", parallel=parallel)
            work.names = lambda _: PurePosixPath("Summer/same")
            work.finish()
            return await work.run(lambda: (1,))

        report = run_at_once(main())
        assert set(report.failed) <= {late[1:]}, report.failed
        return report.fetched

    engine.store.write(address_by_key)
    assert fetch_all() == 2
    passing.clear()
    assert fetch_all() == 1
    there = engine.store.loading.files_there([1])
    assert len({one.path.casefold() for one in there}) == len(there) == 3
    for one in there:
        assert Path(one.path).read_bytes()[-20:].decode().strip() == f"/{one.key}.mp4"
    assert fetch_all() == 0


def address_by_key(connection: Connection) -> None:
    """Give each video an address that names its row."""
    connection.exec_driver_sql("UPDATE job SET video_url = 'http://videos/' || key || '.mp4'")
