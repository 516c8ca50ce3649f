"""Many rows at once give what single rows give, to the byte, and the same errors."""

import csv
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support import tiny

from batchsora.manifest import read
from batchsora.manifest.errors import ManifestError, RowProblem
from batchsora.manifest.images import row_images
from batchsora.manifest.read import open_manifest
from jobs.model.provider import GenerationRequest
from jobs.model.spec import spec_row

HEADERS = (
    "prompt", "id", "orientation", "duration", "campaign", "priority", "count", "image_url",
    "callback_url", "note", "100% mine",
)  # fmt: skip
PLAIN = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), max_size=12)
ODD = st.sampled_from([
    "", " ", "a kite", "  a kite ", "a\nkite", "a\r\nkite", "\u200b", "#N/A", "#1", "\N{KITE}",
    "x" * 4001, "\x07", "9:16", "16:9", "10", "15 s", "11", "2", "-1", "https://a.example/b.png",
    "Err:502", "'=1+1", "a\u2028b", '"quoted"', "100 %", "-x", "é", "\\u0041",
])  # fmt: skip
CELLS = st.dictionaries(st.sampled_from(HEADERS), PLAIN | ODD, min_size=1)
FITTING = {
    "orientation": st.sampled_from(["", "9:16", "16:9", "portrait"]),
    "duration": st.sampled_from(["", "10", "15", "10 s"]),
    "priority": st.sampled_from(["", "0", "3"]),
    "count": st.sampled_from(["", "1", "1", "2"]),
    "image_url": st.sampled_from(["", "", "https://a.example/b.png"]),
    "callback_url": st.sampled_from(["", "https://a.example/hook"]),
}


def kind_of(request: GenerationRequest) -> str:
    return f"{request.duration}/{request.image is not None}/{request.callback_url}"


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    """Make a table, mostly ordinary, with an odd cell here and there."""
    headers = ["prompt", *draw(st.lists(st.sampled_from(HEADERS[1:]), unique=True))]
    rows = [headers]
    for number in range(draw(st.integers(1, 12))):
        row = []
        for header in headers:
            usual = FITTING.get(header, PLAIN)
            if header == "id":
                usual = st.just(f"r{number}") | PLAIN
            row.append(draw(usual if draw(st.integers(0, 9)) else ODD))
        if not draw(st.integers(0, 15)):
            row.append(draw(ODD))
        rows.append(row)
    return rows


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(tables(), st.integers(1, 5))
@example([["prompt"], ["0"], ["a\nkite", ""]], 1)
def test_whole_columns_read_as_single_rows_do(
    tmp_path: Path, table: list[list[str]], lump: int
) -> None:
    """Keys, fingerprints, kinds, cells and problems are the same in the same order."""
    path = tmp_path / "m.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(table)
    try:
        manifest = open_manifest(path)
    except ManifestError:
        return
    try:
        single = [
            item if isinstance(item, RowProblem) else spec_row(item, kind_of(item.request))
            for item in manifest.rows()
        ]
    except ManifestError:  # quotes of one column that a separator follows
        with pytest.raises(ManifestError):
            list(manifest.spec_rows(kind_of))
        return
    before, read.LUMP = read.LUMP, lump
    try:
        assert list(manifest.spec_rows(kind_of)) == single
    finally:
        read.LUMP = before


def test_ordinary_rows_take_the_quick_way(tmp_path: Path) -> None:
    """Else the test above would compare the slow way with itself."""
    path = tmp_path / "m.csv"
    rows = "\n".join(f"r{i},a kite over dune {i},16:9,15,mine {i}" for i in range(1200))
    path.write_text(f"id,prompt,orientation,duration,note\n{rows}\n")
    manifest = open_manifest(path)
    asked: list[GenerationRequest] = []

    def counting(request: GenerationRequest) -> str:
        asked.append(request)
        return "k"

    assert sum(1 for _ in manifest.spec_rows(counting)) == 1200
    assert len(asked) == 1


def test_pictures_are_read_once_several_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty rows of ten files and a missing one: the same rows and problems, each file once."""
    for number in range(10):
        png = tiny.png(bytes([number]) * 100)
        (tmp_path / f"{number}.png").write_bytes(png)
    rows = "\n".join(f"a kite {i},{i % 11}.png" for i in range(40))
    (tmp_path / "m.csv").write_text(f"prompt,image\n{rows}\n")
    opened: list[Path] = []
    real = row_images.opened

    def counting(path: Path) -> AbstractContextManager[BinaryIO]:
        opened.append(path)
        return real(path)

    monkeypatch.setattr(row_images, "opened", counting)
    manifest = open_manifest(tmp_path / "m.csv")
    quick = list(manifest.spec_rows(kind_of))
    assert sorted(path.name for path in opened) == [f"{number}.png" for number in range(10)]
    single = [
        item if isinstance(item, RowProblem) else spec_row(item, kind_of(item.request))
        for item in manifest.rows()
    ]
    assert quick == single
    assert sum(isinstance(item, RowProblem) for item in quick) == 3
