"""The client without ``async``: derived whole, at home in any thread, gone when closed."""

import asyncio
import gc
import inspect
import json
import signal
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from batchsora import (
    GenerationInfo,
    NotFoundError,
    RunBlobClient,
    SyncRunBlobClient,
)
from batchsora.providers.runblob.saving import Sleep

THREAD = "batchsora-client"


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == THREAD]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """Every test ends as it began."""
    yield
    gc.collect()
    for thread in threads():
        thread.join(10)
    assert threads() == []


def account(request: httpx.Request) -> httpx.Response:
    """Answer as an account in which everything is finished after the third look."""
    if request.method == "POST":
        prompt = json.loads(request.content)["prompt"]
        return httpx.Response(201, json={"generation_id": prompt, "price": "0.12"})
    if request.url.path.endswith("/balance"):
        return httpx.Response(200, json={"balance": "7.50"})
    if request.url.path.endswith("/generations"):
        offset = int(request.url.params["offset"])
        page = [{"generation_id": f"gen-{n}"} for n in range(5)][offset : offset + 2]
        return httpx.Response(200, json=page)
    if "nobody" in request.url.path:
        return httpx.Response(404, json={"detail": "Generation not found"})
    name = request.url.path.rstrip("/").rpartition("/")[2]
    seen = {"generation_id": name, "status": "pending", "progress_pos_in_queue": 3}
    return httpx.Response(200, json=seen)


async def no_time(seconds: float) -> None:
    del seconds
    await asyncio.sleep(0)


async def for_ever(seconds: float) -> None:
    del seconds
    await asyncio.Event().wait()


def client(sleep: Sleep = no_time) -> SyncRunBlobClient:
    return SyncRunBlobClient("tok", transport=httpx.MockTransport(account), sleep=sleep)


def stopping(after: int) -> Callable[[GenerationInfo], None]:
    """Make a callback that raises when it is called for the last time."""
    calls = iter(range(after))

    def watch(info: GenerationInfo) -> None:
        del info
        if next(calls) == after - 1:
            raise StopAsyncIteration

    return watch


def test_it_has_the_same_methods_with_the_same_arguments() -> None:
    """Nothing is forgotten when the asynchronous client grows; some is the engine's alone."""
    assert inspect.signature(SyncRunBlobClient) == inspect.signature(RunBlobClient)
    names = {name for name in vars(RunBlobClient) if not name.startswith("_")}
    for name in names - {"send", "aclose", "clock_ahead"}:
        ours, theirs = getattr(SyncRunBlobClient, name), getattr(RunBlobClient, name)
        assert inspect.signature(ours) == inspect.signature(theirs)
        assert inspect.getdoc(ours) == inspect.getdoc(theirs)
        assert not inspect.iscoroutinefunction(ours)


def test_calls_give_values_and_raise_errors() -> None:
    """As any function does, with the caller's own frame in the traceback."""
    with client() as c:
        assert c.generate("kite").generation_id == "kite"
        assert str(c.get_balance()) == "7.50"
        assert [info.generation_id for info in c.list_generations(2, 1)] == ["gen-1", "gen-2"]
        assert repr(c) == "SyncRunBlobClient('https://platform.runblob.io')"
        with pytest.raises(NotFoundError, match="no such generation"):
            c.status("nobody")
        with pytest.raises(TypeError, match="prompt"):
            c.generate()  # type: ignore[call-arg]


def test_it_works_inside_a_running_loop() -> None:
    """A notebook's cell runs in one; there ``asyncio.run`` would be refused."""

    async def cell() -> None:
        with client() as c:
            assert c.generate("kite").generation_id == "kite"
            assert len(list(c.iter_generations())) == 5

    asyncio.run(cell())


def test_the_iterator_may_be_left_early() -> None:
    """Pages are read as they are needed; one that is dropped leaves nothing behind."""
    with client() as c:
        names = [info.generation_id for info in c.iter_generations(page_size=2)]
        assert names == [f"gen-{n}" for n in range(5)]
        left = c.iter_generations(2)
        assert next(left).generation_id == "gen-0"
    with pytest.raises(RuntimeError, match="closed"):
        next(left)


def test_callbacks_are_called_in_the_callers_thread() -> None:
    """They may use what belongs to it, and the client itself, and end the call with an error."""
    table = sqlite3.connect(":memory:")
    table.execute("CREATE TABLE seen (place INTEGER)")
    with client() as c:

        def watch(info: GenerationInfo) -> None:
            table.execute("INSERT INTO seen VALUES (?)", [info.progress_pos_in_queue])
            if c.get_balance() and table.execute("SELECT count(*) FROM seen").fetchone() == (3,):
                raise LookupError("enough")

        with pytest.raises(LookupError, match="enough"):
            c.wait_for_completion("gen-1", callback=watch)
        assert table.execute("SELECT * FROM seen").fetchall() == [(3,), (3,), (3,)]
        assert str(c.get_balance()) == "7.50"
    table.close()


def test_asynchronous_callbacks_are_awaited() -> None:
    """Whether it shows that they are or not; they can't use the client that waits for them."""
    told: list[str] = []

    async def watch(info: GenerationInfo) -> None:
        await asyncio.sleep(0)
        told.append(str(info.status))
        if len(told) % 3 == 0:
            raise LookupError

    def hidden(info: GenerationInfo) -> Awaitable[None]:
        return watch(info)

    with client() as c:
        for callback in (watch, hidden):
            with pytest.raises(LookupError):
                c.wait_for_completion("gen-1", callback=callback)

        async def wrong(info: GenerationInfo) -> None:
            del info
            c.get_balance()

        with pytest.raises(RuntimeError, match="asynchronous callback"):
            c.wait_for_completion("gen-1", callback=wrong)
    assert told[:3] == ["pending"] * 3


def test_threads_share_a_client() -> None:
    """Each call waits for its own result; errors stay with their calls."""
    with client() as c, ThreadPoolExecutor(8) as pool:
        made = list(pool.map(c.generate, [f"kite-{n}" for n in range(40)]))
        assert [item.generation_id for item in made] == [f"kite-{n}" for n in range(40)]


@pytest.fixture
def _heeds_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C interrupt, also where the tests were started in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.posix  # a signal to a thread
@pytest.mark.usefixtures("_heeds_ctrl_c")
def test_ctrl_c_ends_a_call_and_leaves_the_client_usable() -> None:
    """The wait is given up in order; the next call works."""
    main = threading.main_thread().ident
    assert main is not None
    given_up: list[str] = []

    async def interrupted(seconds: float) -> None:
        signal.pthread_kill(main, signal.SIGINT)
        try:
            await for_ever(seconds)
        finally:
            await asyncio.sleep(0)
            given_up.append("in order")

    with client(interrupted) as c:
        with pytest.raises(KeyboardInterrupt):
            c.wait_for_completion("gen-1")
        assert given_up == ["in order"]
        assert str(c.get_balance()) == "7.50"


def test_closing_ends_the_calls_of_other_threads() -> None:
    """With an error, not by waiting for ever; closing twice is closing."""
    waiting = threading.Event()

    async def sleep(seconds: float) -> None:
        waiting.set()
        await for_ever(seconds)

    with ThreadPoolExecutor(1) as pool:
        c = client(sleep)
        call = pool.submit(c.wait_for_completion, "gen-1")
        assert waiting.wait(10)
        c.close()
        with pytest.raises(RuntimeError, match="closed during the call"):
            call.result(10)
    c.close()
    with pytest.raises(RuntimeError, match="is closed"):
        c.get_balance()


def test_a_forgotten_client_closes_itself() -> None:
    """Its thread ends with its last reference; the fixture looks."""
    assert str(client().get_balance()) == "7.50"


def test_a_client_that_can_not_be_made_starts_nothing() -> None:
    """No thread, and the same error as of the other one."""
    with pytest.raises(ValueError, match="token"):
        SyncRunBlobClient()
    with pytest.raises(ValueError, match="base address"):
        SyncRunBlobClient("tok", base_url="ftp://x")
    assert threads() == []
