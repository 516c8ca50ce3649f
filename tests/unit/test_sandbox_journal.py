import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchsora.sandbox.journal import Journal
from batchsora.sandbox.made import Made

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
    with pytest.raises(json.JSONDecodeError):
        list(Journal(path).read())
