"""An export can be loaded again and means the same videos."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchsora.manifest.read import Manifest, RowProblem, open_manifest
from batchsora.result_columns import RESULT_NAMES
from batchsora.tables import write_table
from batchsora.workbook.new import Sheet, write_workbook
from jobs.model.spec import JobSpec

# Everything that a cell of a text file may hold; a lone CR inside quotes is a line break to some.
CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12) | st.text(
    "'=+-@\t\r\n5., \"", max_size=6
)
PROMPTS = st.text("'=+-@ab\"\n,;", min_size=1, max_size=8).filter(lambda text: {"a", "b"} & {*text})
ROWS = st.fixed_dictionaries(
    {
        "id": st.just("") | st.from_regex(r"[a-c][0-9]?", fullmatch=True),
        "prompt": PROMPTS,
        "Seconds": st.sampled_from(["", "10", "15 s"]),
        "count": st.sampled_from(["", "1", "2", "3"]),
        "notes": CELLS,
        "=evil": CELLS,
    }
)


def jobs(manifest: Manifest) -> list[JobSpec]:
    return [item for item in manifest.rows() if isinstance(item, JobSpec)]


def export(target: Path, manifest: Manifest, found: list[JobSpec]) -> None:
    """Write what ``batchsora export`` writes: the row's own cells and results."""
    result: dict[str, object] = dict.fromkeys(RESULT_NAMES)
    result |= {"status": "completed", "price": Decimal("0.12"), "error": "=oops"}
    columns = [*manifest.columns, *RESULT_NAMES]
    rows = ({**job.cells, **result} for job in found)
    if target.suffix == ".xlsx":
        with target.open("wb") as file:
            write_workbook(file, [Sheet("Videos", columns, rows, lambda _: False)])
    else:
        write_table(target, columns, rows)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "json", "xlsx"])
@settings(max_examples=30, deadline=None)
@given(rows=st.lists(ROWS, min_size=1, max_size=6))
def test_export_and_load_again(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, rows: list[dict[str, str]]
) -> None:
    """Keys, requests and cells are the same, and nothing more would be bought, ever after."""
    folder = tmp_path_factory.mktemp("trip")
    write_table(folder / "first.csv", list(rows[0]), rows)
    first = open_manifest(folder / "first.csv")
    found = jobs(first)
    faulty = {item.row for item in first.rows() if isinstance(item, RowProblem)}
    if not found:
        assert faulty
        return
    export(folder / f"second.{suffix}", first, found)
    second = open_manifest(folder / f"second.{suffix}")
    again = list(second.rows())
    assert second.columns == first.columns
    assert second.warnings == ()
    if not faulty:  # a row that clashed took the number of an identical later one
        bare = {"row": 0, "cells": {}} if suffix == "xlsx" else {"row": 0}  # XML changes line ends
        assert [replace(job, **bare) for job in again if isinstance(job, JobSpec)] == [  # type: ignore[arg-type]
            replace(job, **bare)  # type: ignore[arg-type]
            for job in found
        ]
        assert len(again) == len(found)


def test_yaml_exported_as_csv(tmp_path: Path) -> None:
    """Defaults are written out, so that the export stands on its own."""
    path = tmp_path / "night.yaml"
    path.write_text(
        "defaults: {orientation: 16:9, duration: 15}\n"
        "jobs:\n- A fox\n- {id: 007, prompt: A cat, count: 2, tags: [x, 1]}\n"
        "- {prompt: A dog, orientation: portrait}\n"
    )
    first = open_manifest(path)
    export(tmp_path / "out.csv", first, jobs(first))
    second = open_manifest(tmp_path / "out.csv")
    assert [(j.key, j.request, j.cells) for j in jobs(second)] == [
        (j.key, j.request, j.cells) for j in jobs(first)
    ]
    assert [j.key for j in jobs(second)][1:3] == ["007", "007#2"]
