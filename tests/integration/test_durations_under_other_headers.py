"""Columns that mostly hold durations, and headers of other languages, stop a run."""

from pathlib import Path

import pytest

from batchsora.manifest.read import open_manifest
from batchsora.providers.registry import kind_of


def asked(folder: Path, header: str, cells: list[str]) -> bool:
    """Whether a run of a table with such a column would stop."""
    path = folder / "t.csv"
    rows = "".join(f"A kite {place} over hills,{cell}\n" for place, cell in enumerate(cells))
    path.write_text(f"prompt,{header}\n{rows}", encoding="utf-8")
    manifest = open_manifest(path)
    list(manifest.spec_rows(lambda request: kind_of(request).key))
    return manifest.suspicious_columns == (header,)


@pytest.mark.parametrize(
    "header",
    ["Länge (Sek.)", "Länge", "Sekunden", "Len", "Dur.", "Clip time (s)", "Runtime (s)", "mine"],
)
def test_one_that_is_not_offered_does_not_hide_the_others(tmp_path: Path, header: str) -> None:
    """All would be bought at 10 s without a word."""
    assert asked(tmp_path, header, ["15", "15", "12"])
    assert asked(tmp_path, header, ["12", "10 s", "", "10"])


@pytest.mark.parametrize(
    "cells",
    [
        [str(number) for number in range(1, 41)],
        ["10", "12", "15"],
        ["5", "10", "15", "20"],
        ["15", "10", "7"],
        ["10", "15", "x", "y"],
        ["8", "10", "12", "10"],
    ],
)
def test_numbers_that_count_or_are_mostly_others_are_left_alone(
    tmp_path: Path, cells: list[str]
) -> None:
    assert not asked(tmp_path, "mine", cells)


def test_rows_far_below_are_counted_too(tmp_path: Path) -> None:
    """Rows are looked at in lumps."""
    assert asked(tmp_path, "mine", ["15"] * 600 + ["12"] * 500)
    assert not asked(tmp_path, "mine", ["15"] * 500 + ["12"] * 600)


@pytest.mark.parametrize(
    "header", ["Kampagne", "Anzahl", "Cantidad", "Nombre de vidéos", "Anzahl Videos", "Dur", "Len"]
)
def test_names_of_other_languages_are_asked_about(tmp_path: Path, header: str) -> None:
    """A ``Kampagne`` that is not one escapes its cap."""
    assert asked(tmp_path, header, ["3", "x"])
