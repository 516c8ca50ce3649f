"""The client for programs without ``async``: the same methods, derived from the asynchronous ones.

An event loop in a thread of its own runs the calls, so the client works in a notebook, whose own
loop is already running, and several threads can share it. Callbacks run in the caller's thread,
which may own what they touch (a database connection, a window), and where Ctrl-C arrives.
"""

import asyncio
import functools
import inspect
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from datetime import datetime
from queue import SimpleQueue
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx

from batchsora.providers.runblob.client import RunBlobClient, utc_now
from batchsora.providers.runblob.models import GenerationInfo
from batchsora.providers.runblob.saving import Sleep
from batchsora.providers.runblob.waiting import note

P = ParamSpec("P")
R = TypeVar("R")

Errands = SimpleQueue[tuple[functools.partial[object], asyncio.Future[None]] | None]
"""What is to be called in the caller's thread, and whom to tell then; None is the end."""


def _blocking(
    method: Callable[Concatenate[RunBlobClient, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate["SyncRunBlobClient", P], R]:
    """Make a method that waits for its result."""
    flexible: Callable[..., Coroutine[Any, Any, R]] = method

    @functools.wraps(method)
    def call(self: "SyncRunBlobClient", /, *args: P.args, **kwargs: P.kwargs) -> R:
        errands: Errands = SimpleQueue()
        given = [_relayed(value, errands) for value in args]
        named = {name: _relayed(value, errands) for name, value in kwargs.items()}
        return self._stage.run(flexible(self._client, *given, **named), errands)

    return call


def _iterating(
    method: Callable[Concatenate[RunBlobClient, P], AsyncIterator[R]],
) -> Callable[Concatenate["SyncRunBlobClient", P], Iterator[R]]:
    """Make a method that returns a plain iterator."""

    @functools.wraps(method)
    def call(self: "SyncRunBlobClient", /, *args: P.args, **kwargs: P.kwargs) -> Iterator[R]:
        items = method(self._client, *args, **kwargs)
        while found := self._stage.run(_next(items), SimpleQueue()):
            yield from found

    return call


class SyncRunBlobClient:
    """A connection to one account for programs without ``async``; a context manager.

    It takes what :class:`RunBlobClient` takes, and has the same methods. Without ``with``, call
    :meth:`close`; a client that is forgotten closes itself.
    """

    def __init__(
        self,
        token: str | None = None,
        *,
        base_url: str | None = None,
        timeout: float = 60,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._client = RunBlobClient(
            token,
            base_url=base_url,
            timeout=timeout,
            transport=transport,
            now=now,
            monotonic=monotonic,
            sleep=sleep,
        )
        self._stage = _Stage(self._client)
        self._close = weakref.finalize(self, self._stage.close)
        # when the interpreter ends, the thread ends with it; it could not be joined in order then
        self._close.atexit = False

    generate = _blocking(RunBlobClient.generate)
    generate_from_image = _blocking(RunBlobClient.generate_from_image)
    status = _blocking(RunBlobClient.status)
    get_status = _blocking(RunBlobClient.get_status)
    list_generations = _blocking(RunBlobClient.list_generations)
    iter_generations = _iterating(RunBlobClient.iter_generations)
    wait_for_completion = _blocking(RunBlobClient.wait_for_completion)
    download = _blocking(RunBlobClient.download)
    get_balance = _blocking(RunBlobClient.get_balance)

    @property
    def base_url(self) -> str:
        """Return the API's address."""
        return self._client.base_url

    def __repr__(self) -> str:
        return f"SyncRunBlobClient({self.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections and end the thread; calls of other threads end with an error."""
        self._close()


SoraClient = SoraAPI = SyncRunBlobClient
"""The names of the provider's examples, which run with ours after changing the import."""


class _Stage:
    """An event loop in a thread of its own, and the client that lives there, closed at the end."""

    def __init__(self, client: RunBlobClient) -> None:
        self._client = client
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._loop = self._runner.get_loop()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._over = asyncio.Event()
        # what is sent to the loop before it is told to end still reaches it
        self._gate = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._main, name="batchsora-client", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, R], errands: Errands) -> R:
        """Run a coroutine on the loop, and meanwhile the errands here; return its result."""
        begun: list[asyncio.Task[R]] = []
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError("a client without async can't await an asynchronous callback")
        try:  # Ctrl-C may come at once
            sent = self._send(functools.partial(self._begin, coroutine, errands, begun))
            while sent and (errand := errands.get()) is not None:
                callback, done = errand
                self._call(callback)
                self._send(functools.partial(_finish, done))
        except BaseException:
            # also Ctrl-C: what was under way ends in order before the error goes on
            give_up = functools.partial(_cancel, coroutine, errands, begun)
            if not self._send(give_up) and not begun:
                give_up()
            while errands.get() is not None:
                pass
            raise
        if not sent:
            coroutine.close()
            raise RuntimeError("the client is closed")
        (task,) = begun
        if task.cancelled():
            raise RuntimeError("the client was closed during the call")
        return task.result()

    def _call(self, callback: functools.partial[object]) -> None:
        """Call a callback here; an error of one that watches a generation has its id."""
        try:
            answer = callback()
            if inspect.isawaitable(answer):
                self.run(_awaited(answer), SimpleQueue())
        except Exception as error:
            for info in callback.args:
                if isinstance(info, GenerationInfo):
                    note(error, info.generation_id)
            raise

    def close(self) -> None:
        """End what is under way, close the client, and end the thread."""
        with self._gate:
            if not self._closed:
                self._closed = True
                self._loop.call_soon_threadsafe(self._over.set)
        # a forgotten client may be collected in the very thread
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _send(self, errand: Callable[[], object]) -> bool:
        """Call something in the loop; return False when the client is closed."""
        with self._gate:
            if not self._closed:
                self._loop.call_soon_threadsafe(errand)
            return not self._closed

    def _begin(
        self, coroutine: Coroutine[Any, Any, R], errands: Errands, begun: list[asyncio.Task[R]]
    ) -> None:
        task = self._loop.create_task(coroutine)

        def ended(task: asyncio.Task[R]) -> None:
            self._tasks.discard(task)
            if not task.cancelled():
                task.exception()  # a caller who was interrupted does not ask for it
            errands.put(None)

        task.add_done_callback(ended)
        begun.append(task)
        self._tasks.add(task)

    def _main(self) -> None:
        with self._runner as runner:
            runner.run(self._live())

    async def _live(self) -> None:
        async with self._client:
            await self._over.wait()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)


def _relayed(value: object, errands: Errands) -> object:
    """Let a plain callback run in the caller's thread; anything else stays as it is."""
    if not callable(value) or inspect.iscoroutinefunction(value):
        return value

    def relay(*given: object) -> asyncio.Future[None]:
        done = asyncio.get_running_loop().create_future()
        errands.put((functools.partial(value, *given), done))
        return done

    return relay


def _finish(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


def _cancel(
    coroutine: Coroutine[Any, Any, R], errands: Errands, begun: list[asyncio.Task[R]]
) -> None:
    for task in begun:
        task.cancel()
    if not begun:  # it was given up before it was sent here
        coroutine.close()
        errands.put(None)


async def _next(items: AsyncIterator[R]) -> list[R]:
    """Return the next item; nothing at the end."""
    async for item in items:
        return [item]
    return []


async def _awaited(answer: Any) -> object:
    return await answer
