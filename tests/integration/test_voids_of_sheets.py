"""Over HTTP: what counts as never made, and rows that come back or that nobody asked for."""

import csv
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.listed import Account
from support.shell import Shell
from support.voids import LOST, called_never_made

from batchsora.sandbox.world import Reply

RUN = (
    "run", "--poll-interval", "0.05", "--rate", "0", "--quiet", "--grace", "0.2", "--no-download",
)  # fmt: skip
CAP = ("--budget", "5")


def sheet(ids: str = "0123", name: str = "night.csv") -> None:
    with Path(name).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [["id", "prompt"], *([f"r{i}", f"a heron, number {i}"] for i in ids)]
        )


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, call: Shell) -> Iterator[Account]:
    """A list that hides the lost one, and a person who calls it never made."""
    sheet()
    with called_never_made(call, monkeypatch, *RUN, *CAP) as made:
        yield made


def unasked(call: Shell) -> None:
    """Load another sheet with the same row, and spend nothing for it: nobody agreed to."""
    sheet("1", "other.csv")
    said = call(*RUN, "other.csv")
    assert "nothing was bought" in said.words, said.err


def left_and_back(call: Shell) -> None:
    sheet("023")
    said = call(*RUN, *CAP, "night.csv", "--yes")
    assert said.code == 0, said.err
    sheet()


def cancelled(call: Shell) -> None:
    assert call("cancel", "r1", "--batch", "night", "--yes").code == 0
    assert call("retry", "r1", "--batch", "night", "--yes").code == 0


def removed(call: Shell) -> None:
    assert call("rm", "night", "--yes").code == 0


WAYS = pytest.mark.parametrize("way", [left_and_back, cancelled, removed])


@WAYS
@pytest.mark.parametrize("other", [False, True])
def test_the_key_is_kept(
    call: Shell, world: Account, way: Callable[[Shell], None], *, other: bool
) -> None:
    """A provider that honours idempotency keys answers with the first generation."""
    if other:
        unasked(call)
    world.honour_idempotency = True
    way(call)
    said = call(*RUN, *CAP, "night.csv", "--buy-again")
    assert Counter(one.prompt for one in world.made)[LOST] == 1, said.err


@WAYS
@pytest.mark.parametrize("other", [False, True])
def test_it_is_told(
    call: Shell, world: Account, way: Callable[[Shell], None], *, other: bool
) -> None:
    if other:
        unasked(call)
    way(call)
    call(*RUN, *CAP, "night.csv", *(("--adopt-existing",) if way is removed else ()))
    assert Counter(one.prompt for one in world.made)[LOST] == 2
    world.listing = None
    said = call(*RUN, *CAP, "night.csv")
    assert (said.code, "twice" in said.words) == (7, True), said.err


def refused_once(call: Shell, world: Account) -> None:
    """The account has no credits for a moment: 402, known not to have been made; the run ends."""
    before = world.generate
    left = [1]

    def generate(body: Mapping[str, Any], key: str | None, now: datetime, *more: Any) -> Reply:
        if body.get("prompt") == LOST and left:
            left.clear()
            return Reply(402, {"detail": "INSUFFICIENT_CREDITS"})
        return before(body, key, now, *more)

    world.generate = generate
    said = call(*RUN, *CAP, "night.csv")
    assert said.code not in (0, 7), said.err


@pytest.mark.parametrize("refused", [False, True])
def test_each_of_two_rows_gets_its_video(call: Shell, world: Account, *, refused: bool) -> None:
    """Nobody sends one key for two rows: the second would be answered with the first one's."""
    world.honour_idempotency = True
    if refused:
        refused_once(call, world)
    sheet("1", "other.csv")
    call(*RUN, "other.csv")
    cancelled(call)
    first = call(*RUN, *CAP, "night.csv", "--buy-again")
    assert first.code == 0, first.err
    second = call(*RUN, *CAP, "other.csv", "--buy-again")
    assert second.code == 0, second.err


@pytest.mark.parametrize("refused", [False, True])
def test_it_is_told_of_a_row_that_was_refused_once_and_renamed_there_and_back(
    call: Shell, world: Account, *, refused: bool
) -> None:
    if refused:
        refused_once(call, world)
    Path("night.csv").write_text(Path("night.csv").read_text().replace("r1,", "r9,"))
    call("plan", "night.csv")
    said = call(*RUN, "night.csv", "--max-price", "0.01", "--budget", "5")
    assert Counter(one.prompt for one in world.made)[LOST] == 1, said.err
    sheet()
    said = call(*RUN, *CAP, "night.csv", "--max-price", "0.5")
    assert Counter(one.prompt for one in world.made)[LOST] == 2, said.err
    world.listing = None
    said = call(*RUN, *CAP, "night.csv")
    assert (said.code, "twice" in said.words) == (7, True), said.err


@pytest.mark.parametrize("refused", [False, True])
def test_the_cap_counts_what_was_made_before_a_402(
    call: Shell, world: Account, *, refused: bool
) -> None:
    """Taken over from the list more than an hour later, it is charged as any void's is."""
    if refused:
        refused_once(call, world)
    with closing(sqlite3.connect("batchsora.db")) as db, db:
        for column in ("ended_at", "intent_at", "send_before", "doubt_since"):
            db.execute(
                f"UPDATE attempt SET {column} = strftime('%Y-%m-%d %H:%M:%f', {column}, '-2 hours')"  # noqa: S608
                f" || '000' WHERE state IN ('void', 'rejected') AND {column} IS NOT NULL"
            )
    for one in world.made:
        if one.prompt == LOST:
            object.__setattr__(one, "created_at", one.created_at - timedelta(hours=2))
    world.listing = None
    said = call(*RUN, "night.csv", "--adopt-existing", "--budget", "0.50")
    assert said.code == 0, said.err
    assert len(world.made) == 4
    with Path("night.csv").open("a") as file:
        file.write("r8,a swan\n")
    said = call(*RUN, "night.csv", "--budget", "0.50")
    assert sum(one.price for one in world.made) <= 500_000, said.err
