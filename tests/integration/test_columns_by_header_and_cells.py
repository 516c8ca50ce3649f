"""Columns that say a duration, a number or an orientation in other words stop a run."""

import json
from pathlib import Path

import pytest

from batchsora.manifest.errors import RowProblem
from batchsora.manifest.read import Manifest, open_manifest
from batchsora.providers.registry import kind_of


def opened(folder: Path, header: str, cells: list[str], ours: str = "") -> Manifest:
    """Read a table with such a column; ``ours`` is another one that is empty or says something."""
    path = folder / "t.csv"
    head, _, says = ours.partition("=")
    rows = "".join(
        json.dumps(f"A kite {place} over hills")
        + f',"{cell.replace(chr(34), chr(34) * 2)}",{says}\n'
        for place, cell in enumerate(cells)
    )
    path.write_text(f"prompt,{header},{head}\n{rows}", encoding="utf-8")
    manifest = open_manifest(path)
    found = list(manifest.spec_rows(lambda request: kind_of(request).key))
    assert not [row for row in found if isinstance(row, RowProblem)]
    return manifest


def asked(folder: Path, header: str, cells: list[str], ours: str = "") -> bool:
    """Whether a run of it would stop, because of that column alone."""
    found = opened(folder, header, cells, ours).suspicious_columns
    assert found in ((), (header,))
    return bool(found)


@pytest.mark.parametrize(
    "fifteen",
    [
        "0:15", "00:15", "12:00:15 AM", "12:00:15\u202fam", "00:00:15.000", "00:00:15:00",
        "1899-12-30 00:00:15", "1899-12-31T00:00:15", "1900-01-01 00:00:15", "0 days 00:00:15",
        "0 days 00:00:15.000000", "15-second", "15-sec", "15”", "15″", "15 сек", "15 сек.",
        "15 секунд", "15 秒", "15秒", "15초", "15 seconden", "15 sekunder", "15 sn", "~15 s",
        "ca. 15 Sek.", "0m 15s", "PT0M15S", "P0DT15S", "15000 ms", "0:15 min", "15.000",
    ],
)  # fmt: skip
def test_durations_in_any_writing(tmp_path: Path, fifteen: str) -> None:
    """Under a header of ours each is read or an error; under another one 10 s would be bought."""
    ten = fifteen.replace("15", "10")
    assert asked(tmp_path, "Clip", [fifteen, "", fifteen, "n/a", ten])


@pytest.mark.parametrize(
    "cells",
    [
        ["0:15", "0:15", "1:20"],
        ["0:15", "00:10", "opening"],
        ["10:00", "15:00", "10:00"],
        ["10:15 AM", "10:15 AM", "10:15 AM"],
        ["2024-10-15", "2024-10-15", "2024-10-15"],
        ["15 euros", "15 euros", "15 euros"],
        ["15 min", "15 min", "10 min"],
        ["15%", "15%", "10%"],
        ["12:00:15 PM", "12:00:15 PM", "12:00:15 PM"],
        ["15 sets", "10 sets", "15 sets"],
    ],
)
def test_times_and_numbers_of_other_things_are_left_alone(tmp_path: Path, cells: list[str]) -> None:
    assert not asked(tmp_path, "Clip", cells)


def test_certain_ones_need_not_be_all(tmp_path: Path) -> None:
    """Twenty seconds among fifteens hide nothing, as in a column of Latin letters."""
    assert asked(tmp_path, "Clip", ["15 сек", "15 сек", "20 сек"])


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("Landscape?", ["yes", "yes"]),
        ("Landscape", ["x", ""]),
        ("Landscape", ["TRUE", "FALSE"]),
        ("Landscape (yes/no)", ["ja", "nein"]),
        ("Is landscape", ["1", "0"]),
        ("Landscape/Portrait", ["L", "landscape", "portrait"]),
        ("Portrait", ["no", "no"]),
        ("Widescreen", ["✓", "✓"]),
        ("横屏", ["是", "否"]),
        ("Formaat", ["liggend", "staand"]),
        ("Formaat", ["1920 x 1080", "1920 x 1080"]),
        ("画面比例", ["横屏", "横屏"]),
        ("Oriëntatie", ["liggend", "liggend"]),
        ("Orientation de la vidéo", ["paysage", "paysage"]),
        ("Format vidéo", ["paysage", "portrait"]),
        ("mine", ["liggend", "staand"]),
        ("mine", ["горизонтальное", "вертикальное"]),
    ],
)
def test_words_for_an_orientation(tmp_path: Path, header: str, cells: list[str]) -> None:
    assert asked(tmp_path, header, cells)


@pytest.mark.parametrize(
    "header",
    [
        "Menge", "Stück", "Nb", "Nb de vidéos", "数量", "视频数量", "Takes", "Clips", "Videos",
        "Number of clips", "Clips per row", "Versions", "Кол-во", "Antal", "Adet",
    ],
)  # fmt: skip
def test_words_for_a_number(tmp_path: Path, header: str) -> None:
    """One video each would be bought, of three that are wanted."""
    assert asked(tmp_path, header, ["3", "1", "x2"])
    assert not asked(tmp_path, header, ["1", "1", ""]), "it says what is bought anyway"
    assert not asked(tmp_path, header, ["https://a.test/1.mp4", "the long one", ""])
    assert not asked(tmp_path, header, ["", "", ""])
    assert not asked(tmp_path, header, ["3", "3"], "count=2")
    assert asked(tmp_path, header, ["3", "3"], "count=")


@pytest.mark.parametrize("header", ["Kampanj", "Кампания", "キャンペーン"])
def test_words_for_a_campaign(tmp_path: Path, header: str) -> None:
    """One that is not read escapes its cap."""
    assert asked(tmp_path, header, ["Spring", "Spring"])
    assert not asked(tmp_path, header, ["", "-"])


@pytest.mark.parametrize("header", ["时长", "视频时长", "動画の長さ", "Længde", "Длительность"])
def test_words_for_a_duration(tmp_path: Path, header: str) -> None:
    assert asked(tmp_path, header, ["8", "20 s"])
    assert not asked(tmp_path, header, ["short", "long"])
    assert not asked(tmp_path, header, ["", ""])


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("Portrait", ["Mona Lisa", "The Night Watch"]),
        ("Landscape", ["Alps", "Dunes"]),
        ("Vertical", ["Health", "Finance"]),
        ("Landscape", ["", ""]),
        ("Formaat", ["mp4", "mov"]),
        ("Formaat", ["yes", "no"]),
        ("Versions", ["1.2", "2.0-beta"]),
        ("Versions", ["a short one, a long one", "x"]),
        ("Clips (min)", ["3", "4"]),
        ("Takes", ["take the first one", "any"]),
        ("Times", ["10:00", "12:30"]),
        ("Shot", ["wide", "wide"]),
        ("Approved", ["yes", "no"]),
        ("Nombre", ["Ana", "Luis"]),
        ("Video", ["1", "3"]),
    ],
)
def test_the_same_words_for_something_else(tmp_path: Path, header: str, cells: list[str]) -> None:
    assert not asked(tmp_path, header, cells)


def test_what_is_said_of_it(tmp_path: Path) -> None:
    """A question about one side is answered in a column ``orientation``: yes is none."""
    (said,) = opened(tmp_path, "Landscape?", ["yes"]).warnings
    assert "may mean 'orientation'" in said.problem
    assert "Write landscape or portrait into a column 'orientation'" in said.remedy
    assert "--map 'Landscape?='" in said.remedy
    (said,) = opened(tmp_path, "Menge", ["3"]).warnings
    assert "--map 'Menge=count'" in said.remedy


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".yaml"])
def test_keys_of_trees(tmp_path: Path, suffix: str) -> None:
    job = {"prompt": "A kite over hills", "Landscape": True, "Takes": 3, "Clip": "15 сек"}
    path = tmp_path / f"t{suffix}"
    path.write_text(json.dumps(job if suffix == ".jsonl" else [job]) + "\n")
    manifest = open_manifest(path)
    list(manifest.spec_rows(lambda request: kind_of(request).key))
    assert {*manifest.suspicious_columns} == {"Landscape", "Takes", "Clip"}
