"""Every row says what becomes of it: what is read is what is seen, or an error names it."""

import csv
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchsora.manifest.errors import ManifestError, RowProblem
from batchsora.manifest.read import open_manifest
from jobs.model.spec import JobSpec

DURATIONS = {"": 10, "10": 10, "15": 15, "10 s": 10, "15,0": 15, "10.00": 10, "15 seconds": 15}
ORIENTATIONS = {"": "9:16", "16:9": "16:9", "Portrait": "9:16", "16:09": "16:9", "9x16": "9:16"}
COUNTS = {"": 1, "2": 2, "3.0": 3}
ODD = ["1,000", "1.000", "12x", "#REF!", "#WERT!", "n/a", "10 min", "?", "0.6729", "\u221e", "-"]
HEADERS = {
    "duration": ["duration", "Length (sec)", "Duration\n(10 or 15)", "SECS"],
    "orientation": ["orientation", "Aspect ratio (16:9 / 9:16)", "Format"],
    "count": ["count", "No. of copies", "2. Variants"],
}
MEANT = {"duration": DURATIONS, "orientation": ORIENTATIONS, "count": COUNTS}
PROMPT = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters="#/"),
    min_size=12,
    max_size=30,
).map(lambda text: f"A {text}")


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[list[str]], list[dict[str, str]]]:
    """Make a table, and what a person sees in each of its rows."""
    names = draw(st.lists(st.sampled_from([*HEADERS]), unique=True))
    header = [draw(st.sampled_from(HEADERS[name])) for name in names]
    place = draw(st.integers(0, len(names)))
    header.insert(place, draw(st.sampled_from(["prompt", "Video idea", "Prompt (English)"])))
    names.insert(place, "prompt")
    seen = []
    for _ in range(draw(st.integers(1, 8))):
        row = {"prompt": draw(PROMPT)}
        for name in names:
            if name != "prompt":
                usual = st.sampled_from([*MEANT[name]])
                row[name] = draw(usual if draw(st.integers(0, 5)) else st.sampled_from(ODD))
        seen.append(row)
    return [header, *([row[name] for name in names] for row in seen)], seen


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(tables(), st.sampled_from([(".csv", ","), (".csv", ";"), (".tsv", "\t")]))
def test_what_is_read_is_what_is_seen(
    tmp_path: Path,
    table: tuple[list[list[str]], list[dict[str, str]]],
    written: tuple[str, str],
) -> None:
    """No cell that is not understood becomes the default, in any dialect and under any header."""
    rows, seen = table
    suffix, delimiter = written
    single = len(rows[0]) == 1 and suffix == ".csv"  # nothing in it tells what separates cells
    delimiter = "," if single else delimiter
    quoting = csv.QUOTE_ALL if single else csv.QUOTE_MINIMAL
    path = tmp_path / f"m{suffix}"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter, quoting=quoting).writerows(rows)
    try:
        manifest = open_manifest(path)
    except ManifestError as error:
        assert error.problem.remedy  # noqa: PT017 - a file may be refused as a whole
        return
    found = list(manifest.rows())
    faults = {item.row for item in found if isinstance(item, RowProblem)}
    jobs: dict[int, list[JobSpec]] = {}
    for item in found:
        if isinstance(item, JobSpec):
            jobs.setdefault(item.row, []).append(item)
    first = manifest.header_row or 0
    numbers = [first + 1 + number for number in range(len(seen))]
    for number, row in zip(numbers, seen, strict=True):
        understood = all(row[name] in MEANT[name] for name in row if name != "prompt")
        assert (number in faults) is not understood
        if understood:
            job = jobs[number][0]
            assert job.request.prompt == row["prompt"].strip()
            assert job.request.duration == DURATIONS[row.get("duration", "")]
            assert job.request.orientation == ORIENTATIONS[row.get("orientation", "")]
            assert len(jobs[number]) == COUNTS[row.get("count", "")]
