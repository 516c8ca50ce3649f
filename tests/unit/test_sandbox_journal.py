import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchsora.sandbox.account import Journal, JournalError, Made

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

made = st.builds(
    Made,
    id=st.uuids().map(str),
    prompt=st.text(min_size=1),
    orientation=st.sampled_from(["9:16", "16:9"]),
    duration=st.sampled_from([10, 15]),
    price=st.integers(min_value=0, max_value=10**12),
    key=st.none() | st.uuids().map(str),
    created_at=st.datetimes(timezones=st.just(UTC)),
    takes=st.floats(min_value=0.1, max_value=900),
    failure=st.none() | st.text(),
    foreign=st.booleans(),
)


def _item(number: int) -> Made:
    return Made(
        id=f"id-{number}",
        prompt=f"a fox, number {number}\nin the rain\u2028",
        orientation="9:16",
        duration=10,
        price=120_000,
        key=None,
        created_at=NOW + timedelta(seconds=number),
        takes=300.0,
    )


ENTRY = asdict(_item(0)) | {"created_at": NOW.isoformat()}


def _write(path: Path, items: Sequence[Made]) -> None:
    journal = Journal(path)
    for item in items:
        journal.append(item)


@given(st.lists(made, max_size=4))
def test_generations_come_back_as_they_were(items: list[Made]) -> None:
    """Whatever a prompt or a failure is made of, a restart changes nothing about it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "world"
        _write(path, items)
        assert list(Journal(path).read()) == items


def test_nothing_kept_is_no_generations(tmp_path: Path) -> None:
    """The first start finds no file, and makes none before there is something to keep."""
    path = tmp_path / "new" / "folder" / "world"
    assert list(Journal(path).read()) == []
    assert not path.exists()
    _write(path, [_item(1)])
    assert list(Journal(path).read()) == [_item(1)]


def test_a_file_cut_off_anywhere_gives_its_whole_lines(tmp_path: Path) -> None:
    """After power loss the whole entries are there, and the next one does not glue to a torn one.

    An entry whose newline alone is missing counts as torn: its answer had not left.
    """
    path = tmp_path / "world"
    _write(path, [_item(1), _item(2)])
    content = path.read_bytes()
    first = content.index(b"\n") + 1
    for end in range(len(content) + 1):
        path.write_bytes(content[:end])
        whole = [_item(1)] * (end >= first) + [_item(2)] * (end == len(content))
        assert list(Journal(path).read()) == whole
        _write(path, [_item(3)])
        assert list(Journal(path).read()) == [*whole, _item(3)]


def test_a_damaged_line_in_the_middle_is_not_passed_over(tmp_path: Path) -> None:
    """Charges never vanish silently: what is no torn end is an error."""
    path = tmp_path / "world"
    _write(path, [_item(1), _item(2)])
    path.write_bytes(b"{" + path.read_bytes())
    with pytest.raises(JournalError, match="is damaged"):
        list(Journal(path).read())


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "[]",
        "{}",
        "[" * 100_000,
        json.dumps(ENTRY | {"price": "1"}),
        json.dumps(ENTRY | {"price": -1}),
        json.dumps(ENTRY | {"created_at": 5}),
        json.dumps(ENTRY | {"created_at": "2026-01-01T00:00:00"}),
        json.dumps(ENTRY | {"more": 1}),
    ],
)
def test_a_line_of_somebody_elses_is_refused(line: str, tmp_path: Path) -> None:
    """It may have come in a folder that was sent; the error says what to do."""
    path = tmp_path / "world"
    path.write_text(f"{line}\n")
    with pytest.raises(JournalError, match="Move it away"):
        list(Journal(path).read())


def test_the_entry_of_these_tests_is_taken(tmp_path: Path) -> None:
    """What is refused above is refused for what was changed in it."""
    path = tmp_path / "world"
    path.write_text(f"{json.dumps(ENTRY)}\n")
    assert list(Journal(path).read()) == [_item(0)]


@pytest.mark.posix  # a pipe that lies in a folder
@pytest.mark.parametrize("kind", ["link", "dangling", "pipe", "folder", "sparse"])
def test_what_is_no_regular_file_is_left_alone(kind: str, tmp_path: Path) -> None:
    """No link is followed, no pipe waited for, and no hole of 3 GB read into memory."""
    path, victim = tmp_path / "world", tmp_path / "token"
    if kind == "link":
        victim.write_text("one line without an end")
    if kind in ("link", "dangling"):
        path.symlink_to(victim)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.touch()
        os.truncate(path, 3 * 1024**3)
    with pytest.raises(JournalError):
        list(Journal(path).read())
    assert victim.exists() == (kind == "link")
    assert kind != "link" or victim.read_text() == "one line without an end"


def test_nothing_is_appended_through_a_link(tmp_path: Path) -> None:
    """Not even where the link comes later."""
    path, victim = tmp_path / "world", tmp_path / "token"
    journal = Journal(path)
    path.symlink_to(victim)
    with pytest.raises(OSError, match=r"symbolic|it is a link"):
        journal.append(_item(1))
    assert not victim.exists()
