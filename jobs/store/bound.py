"""Methods of the ports, made from functions on a connection: each is one transaction."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

if TYPE_CHECKING:
    from .database import Store

P = ParamSpec("P")
T = TypeVar("T")


class Bound:
    """One side of an opened database."""

    def __init__(self, store: "Store") -> None:
        self._store = store
        self._read = store.read


def reads(work: Callable[Concatenate[Connection, P], T]) -> Callable[Concatenate[Any, P], T]:
    """Make a method of what reads on one consistent snapshot, as :class:`Bound` does."""

    def method(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        found: T = self._read(lambda connection: work(connection, *args, **kwargs))
        return found

    return method


def writes(work: Callable[Concatenate[Connection, P], T]) -> Callable[Concatenate[Bound, P], T]:
    """Make a method that is one transaction, durable on return."""

    def method(self: Bound, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._store.write(lambda connection: work(connection, *args, **kwargs))

    return method


def spools(work: Callable[Concatenate[Connection, P], T]) -> Callable[Concatenate[Bound, P], T]:
    """Make a method that uses temporary tables alone, without a lock."""

    def method(self: Bound, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._store.spool(lambda connection: work(connection, *args, **kwargs))

    return method


def commits(
    work: Callable[Concatenate[Connection, P], T],
) -> Callable[Concatenate[Bound, P], Coroutine[Any, Any, T]]:
    """Make a coroutine function that is part of the next group commit, durable on return."""

    async def method(self: Bound, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._store.commit(lambda connection: work(connection, *args, **kwargs))

    return method
