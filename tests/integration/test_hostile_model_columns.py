"""Columns of models that someone filled with anything: errors are short and clean."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet

from batchsora.manifest.errors import ManifestError, RowProblem
from batchsora.manifest.raw import Reading
from batchsora.manifest.read import open_manifest
from jobs.model.spec import JobSpec
from tests.support.shell import Shell

PROMPT = "A kite over the bay at dawn"
NASTY = ("x" * 100_000, "\x1b[31mveo\x1b[0m", "veo\u202e3", "a\u0000b", "\u2066" * 300, "'; DROP--")
LONGEST = 700
"""Characters of an error, with the path of a test's folder."""


def rows_of(path: Path, **reading: Any) -> list[JobSpec | RowProblem]:
    return list(open_manifest(path, reading=Reading(**reading)).rows())


def jobs_file(path: Path, *jobs: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"jobs": [{"prompt": PROMPT, **job} for job in jobs]}))
    return path


def check_clean(*said: object) -> None:
    for text in map(str, said):
        assert text.isprintable(), text[:300]
        assert len(text) < LONGEST


@pytest.mark.parametrize("nasty", NASTY, ids=range(len(NASTY)))
@pytest.mark.parametrize("key", ["model", "seed", "negative_prompt", "param.cfg_scale"])
def test_hostile_values_are_short_clean_errors(tmp_path: Path, key: str, nasty: str) -> None:
    job = {"model": "kling_2.6", key: nasty}
    try:
        found = rows_of(jobs_file(tmp_path / "m.json", job))
    except ManifestError as error:
        check_clean(error)
        return
    if key == "negative_prompt" and isinstance(found[0], JobSpec):
        return  # a text may say anything
    assert all(isinstance(one, RowProblem) for one in found)
    check_clean(*found)


@pytest.mark.parametrize("nasty", NASTY, ids=range(len(NASTY)))
def test_hostile_defaults_and_headers_are_short_clean_errors(tmp_path: Path, nasty: str) -> None:
    path = jobs_file(tmp_path / "m.json", {"model": "kling_2.6", f"param.{nasty}"[:900]: "1"})
    try:
        manifest = open_manifest(path)
        found = list(manifest.rows())
        check_clean(*(one for one in found if isinstance(one, RowProblem)))
        assert all(len(str(one)) < 2 * LONGEST for one in manifest.warnings)
        assert all(one.remedy.isprintable() for one in manifest.warnings)
        assert manifest.suspicious_columns or any(isinstance(one, RowProblem) for one in found)
    except ManifestError as error:
        check_clean(error)
    for name in ("model", "seed", "duration", "param.cfg_scale"):
        with pytest.raises(ManifestError) as refused:
            rows_of(jobs_file(path, {}), defaults={name: nasty})
        check_clean(refused.value)


def test_hundreds_of_parameters(call: Shell) -> None:
    """Each is an error of its column; a screen shows some, a script all."""
    names = [f"param.p{number}" for number in range(500)]
    row = ",".join([PROMPT, *["1"] * 500])
    Path("m.csv").write_text("\n".join([",".join(["prompt", *names]), row, row]), encoding="utf-8")
    said = call("plan", "m.csv", "--json")
    assert len(said.json["invalid"]) == 1000
    said = call("plan", "m.csv")
    assert said.code == 2
    assert "more; --json lists all" in said.words
    assert len(said.err.splitlines()) < 60


@pytest.mark.parametrize(
    ("text", "seed"),
    [
        ("7", 7),
        ("7.0", 7),
        ("007", 7),
        (" 7 ", 7),
        ("\uff17", 7),
        ("1 000", 1000),
        ("1'000", 1000),
        ("1000000000", 10**9),
        ("1e9", None),
        ("1,000", None),
        ("1.000", None),
        ("1,0", 1),
        ("7.5", None),
        ("-1", None),
        ("0x10", None),
        ("nan", None),
        ("9" * 400, None),
        ("2026-12-01", None),
        ("true", None),
        ("=RAND()", None),
        ("#REF!", None),
    ],
)
def test_writings_of_a_seed(tmp_path: Path, text: str, seed: int | None) -> None:
    """One that half of the world reads otherwise is an error that says what to write."""
    path = tmp_path / "m.csv"
    path.write_text(f'prompt,model,seed\n{PROMPT},veo_3_fast,"{text}"\n', encoding="utf-8")
    (found,) = rows_of(path)
    if seed is None:
        assert isinstance(found, RowProblem)
        assert found.column == "seed"
        check_clean(found)
    else:
        assert isinstance(found, JobSpec), found
        assert found.request.parameters == {"seed": seed}


@pytest.mark.parametrize(
    ("value", "seed"),
    [
        (7, 7),
        (7.0, 7),
        (1e9, 10**9),
        (7.25, None),
        (dt.date(2026, 12, 1), None),
        (dt.datetime(2026, 12, 1, 8, 30), None),  # noqa: DTZ001 - as openpyxl wants it
        (dt.time(8, 30), None),
        (True, None),
    ],
)
def test_cells_of_a_workbook_as_a_seed(tmp_path: Path, value: object, seed: int | None) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.append(["prompt", "model", "seed"])
    sheet.append([PROMPT, "veo_3_fast", value])
    book.save(tmp_path / "m.xlsx")
    (found,) = rows_of(tmp_path / "m.xlsx")
    if seed is None:
        assert isinstance(found, RowProblem)
        check_clean(found)
    else:
        assert isinstance(found, JobSpec), found
        assert found.request.parameters == {"seed": seed}


@pytest.mark.parametrize("ending", ["json", "yaml", "jsonl"])
@pytest.mark.parametrize(
    "key", ["model", "seed", "negative_prompt", "end_image", "param.cfg_scale"]
)
@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, [], {}, [["deep"] * 50] * 50])
def test_lists_and_mappings_are_errors_of_their_key(
    tmp_path: Path, ending: str, key: str, value: object
) -> None:
    """Never a text; a list under ``model`` may be of an export, so its text is no model."""
    job = {"prompt": PROMPT, "model": "kling_2.6", key: value}
    path = tmp_path / f"m.{ending}"
    path.write_text(json.dumps(job) if ending == "jsonl" else json.dumps({"jobs": [job]}))
    (found,) = rows_of(path)
    assert isinstance(found, RowProblem)
    expected = "unknown model" if key == "model" else "must be a single value"
    assert found.problem == expected
    assert found.column == key
    check_clean(found)


@pytest.mark.parametrize(("value", "taken"), [(0.5, 0.5), (1, 1.0), ("0.25", 0.25), (True, None)])
def test_numbers_of_json_are_read_as_written(tmp_path: Path, value: object, taken: object) -> None:
    (found,) = rows_of(
        jobs_file(tmp_path / "m.json", {"model": "kling_2.6", "param.cfg_scale": value})
    )
    if taken is None:
        assert isinstance(found, RowProblem)
    else:
        assert isinstance(found, JobSpec)
        assert found.request.parameters == {"cfg_scale": taken}
