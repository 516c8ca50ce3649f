"""JSON and JSONL manifests, from real files."""

import json
import tracemalloc
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchsora.manifest.formats import tree
from batchsora.manifest.formats.csv_dialect import LONGEST_LINE
from batchsora.manifest.formats.csv_reader import MOST_CELLS
from batchsora.manifest.formats.json_reader import open_jsonl
from batchsora.manifest.raw import PLAIN, RawRow, Reading
from batchsora.manifest.read import Manifest, ManifestError, RowProblem, open_manifest
from batchsora.manifest.rows.columns import MOST_COLUMNS
from batchsora.result_columns import RESULT_NAMES
from batchsora.tables import write_table
from jobs.model.spec import JobSpec


def manifest(
    folder: Path, content: str | bytes, name: str = "night.json", reading: Reading = PLAIN
) -> Manifest:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return open_manifest(path, reading=reading)


def jobs(manifest: Manifest) -> list[JobSpec]:
    found = list(manifest.rows())
    assert all(isinstance(item, JobSpec) for item in found), found
    return [item for item in found if isinstance(item, JobSpec)]


def refusal(folder: Path, content: str | bytes, name: str = "night.json") -> RowProblem:
    with pytest.raises(ManifestError) as caught:
        list(manifest(folder, content, name).rows())
    assert caught.value.problem.remedy
    assert len(str(caught.value)) < 1000
    return caught.value.problem


FULL = """\
{
  "batch": "autumn", "budget": 12.50,
  "campaigns": {"spring": {"budget": "3.10", "defaults": {"duration": 15}}},
  "defaults": {"campaign": "spring"},
  "jobs": [
    {"id": "007", "prompt": "A fox", "orientation": "16:9", "title": false},

    "A cat", {
      "Text": "A dog: \\ud83d\\udc36\\nruns", "duration": 10.0, "campaign": null,
      "tags": ["a", 1.50, true, null, {"b": 1E3}], "title": -0
    },
    null, {}
  ]
}
"""


def test_a_manifest_with_everything(tmp_path: Path) -> None:
    """It has the shape of one in YAML; values stay as written, and rows are lines, each once."""
    found = manifest(tmp_path, FULL)
    assert (found.name, found.budget) == ("autumn", Decimal("12.50"))
    assert str(found.budget) == "12.50"
    assert found.campaign_budgets == {"spring": Decimal("3.10")}
    assert found.columns == (
        ("id", "prompt", "orientation", "title", "duration", "campaign", "tags")
    )
    fox, cat, dog = jobs(found)
    assert (fox.key, fox.row, fox.campaign, fox.cells["title"]) == ("007", 6, "spring", "false")
    assert (fox.request.orientation, fox.request.duration) == ("16:9", 15)
    assert (cat.request.prompt, cat.row, cat.request.duration) == ("A cat", 8, 15)
    assert (dog.request.prompt, dog.row) == ("A dog: 🐶\nruns", 9)
    assert (dog.request.duration, dog.campaign) == (10, None)
    assert dog.cells["tags"] == '["a", 1.50, true, null, {"b": 1E3}]'
    assert dog.cells["title"] == "-0"
    assert jobs(found) == [fox, cat, dog]


def test_json_is_read_as_yaml_would_be(tmp_path: Path) -> None:
    """All JSON is YAML, and means the same videos."""
    one = jobs(manifest(tmp_path, FULL))
    # PyYAML takes two halves of a character for two characters
    other = jobs(manifest(tmp_path, FULL.replace("\\ud83d\\udc36", "🐶"), "night.yaml"))
    assert one == other


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_are_lines_as_editors_count_them(tmp_path: Path, end: str) -> None:
    """Whatever the line ends are; a job begins at its brace, two on a line on two rows."""
    text = end.join(["", "[", '"A"', "", ",{", ' "prompt"', ': "B"}', ',"C", "D" ]'])
    assert [job.row for job in jobs(manifest(tmp_path, text))] == [3, 5, 8, 9]
    lines = end.join(["", '"A"', "", ' {"prompt": "B"} ', '"C"'])
    assert [job.row for job in jobs(manifest(tmp_path, lines, "m.ndjson"))] == [2, 4, 5]


@pytest.mark.parametrize(
    ("job", "row", "column", "says"),
    [
        ("5", 3, None, "bare number"),
        ("true", 3, None, "bare number"),
        ('["a"]', 3, None, "not a list"),
        ('{"prompt": ["a"]}', 3, "prompt", "single value"),
        ('{"prompt": "A", "Prompt": "B"}', 3, "Prompt", "means the same as 'prompt'"),
        ('{"prompt": "A", "duration": 12}', 3, "duration", "unsupported duration"),
        ('{"prompt": null, "id": "x"}', 3, "prompt", "empty"),
        ('{"prompt": "A", "d": [' + "1," * 10_000 + "1]}", 3, "d", "too large"),
    ],
)
@pytest.mark.parametrize("name", ["m.json", "m.jsonl"])
def test_a_faulty_job_is_named_by_its_line(
    tmp_path: Path, name: str, job: str, row: int, column: str | None, says: str
) -> None:
    """One bad job is told with its line and key; the others are fine."""
    text = f'[\n"fine",\n{job},\n"also fine"]' if name == "m.json" else f'"fine"\n\n{job}\n"fine"'
    good, bad, last = manifest(tmp_path, text, name).rows()
    assert isinstance(good, JobSpec)
    assert isinstance(last, JobSpec)
    assert isinstance(bad, RowProblem)
    assert (bad.row, bad.column) == (row, column)
    assert says in bad.problem
    assert bad.remedy


@pytest.mark.parametrize(
    ("content", "says", "row"),
    [
        ("", "empty", None),
        (" \n", "empty", None),
        ("5", "not a list of jobs", 1),
        ("{}", "no jobs", 1),
        ('{"jobs": 5}', "no jobs", 1),
        ('{\n"jobs": []}', "no jobs", 2),
        ("[{}]", "no column 'prompt'", None),
        ('["A"]\n["B"]', "Extra data", 2),
        ('["A"', "',' delimiter", 1),
        ('["A",\n]', "Expecting value", 2),
        ('["A"\n"B"]', "',' delimiter", 2),
        ('{"jobs": ["A"],\n}', "property name", 2),
        ('{\njobs: ["A"]}', "property name", 2),
        ('{"jobs" ["A"]}', "':' delimiter", 1),
        ('{"jobs": ["A"],\n"budget": 05}', "delimiter", 2),
        ('["A\n"]', "control character", 1),
        ('["A",\n"B]', "Unterminated string", 2),
        ('["A",\n"\\x"]', "escape", 2),
        ("['A']", "Expecting value", 1),
        ('["A",\nNaN]', "NaN is not JSON", 2),
        ('{"jobs": ["A"],\n"budget": -Infinity}', "-Infinity is not JSON", 2),
        ('["A",\n{"prompt": "B",\n"prompt": "C"}]', "duplicate key 'prompt'", 2),
        ('{"jobs": ["A"],\n"jobs": ["B"]}', "duplicate key 'jobs'", 2),
        ('["A",\n"\\ud83d"]', "half a character", 2),
        ('["A",\n{"\\u0000": 1}]', "NUL", 2),
        ('{"jobs": ["A"],\n"buget": 5}', "'buget' means nothing", 2),
        ('{"jobs": ["A"],\n"budget": 1e3}', "not a valid amount of money", 2),
        ('{"jobs": ["A"], "campaigns": {\n"x": 5}}', "a campaign can only have a budget", 2),
        ('{"jobs": ["A"], "defaults": {\n"id": 5}}', "an id can't be the same", 2),
        ('["A",\n' + "[" * 60 + "1" + "]" * 60 + "]", "nested too deep", 2),
        ('["A",\n' + "[" * 50_000, "nested too deep", 2),
        ('{"a":' * 50_000, "nested too deep", 1),
        ('["Ä"]'.encode("latin-1"), "not UTF-8", 1),
        ('\ufeff["A",\n"'.encode() + b'\xe4"]', "not UTF-8", 2),
        ('["A"]'.encode("utf-16-le"), "not valid JSON", 1),
    ],
)
def test_a_file_that_can_not_be_trusted_is_refused(
    tmp_path: Path, content: str | bytes, says: str, row: int | None
) -> None:
    """Nothing of such a file is used; the message says where and why."""
    found = refusal(tmp_path, content)
    assert says in found.problem
    assert found.row == row


@pytest.mark.parametrize(
    ("content", "says", "row"),
    [
        ("", "empty", None),
        ("\n \n", "empty", None),
        ("{}\n", "no column 'prompt'", None),
        ('"A"\n{bad\n', "not valid JSON", 2),
        ('[\n"A",\n"B"]\n', "not valid JSON", 1),
        ('"A" "B"\n', "Extra data", 1),
        ('"A"\n"B', "not valid JSON", 2),
        ('"A"\n{"a": NaN}\n', "NaN is not JSON", 2),
        ('"A"\n{"a": 1, "a": 2}\n', "duplicate key 'a'", 2),
        ('"A"\n"\\ud83d"\n', "half a character", 2),
        ('"A"\n' + "[" * 50_000, "nested too deep", 2),
        ('"A"\n' + "[" * 60 + "]" * 60, "nested too deep", 2),
        ('"A"\n[' + "0," * MOST_CELLS + "0,0]", "more than 200000 values", 2),
        ('"A"\n"' + "a" * LONGEST_LINE + '"', "longer than", 2),
        ('"A"\n{"' + "a" * 1001 + '": 1}', "more than 1000 characters", 2),
        ('"A"\n' * 5000 + '"\udce4"\n"A"', "not UTF-8", 5001),
        ('"A"'.encode("utf-16-le"), "not valid JSON", 1),
    ],
)
def test_a_line_that_can_not_be_trusted_refuses_the_file(
    tmp_path: Path, content: str | bytes, says: str, row: int | None
) -> None:
    """The message names the line."""
    data = content.encode(errors="surrogateescape") if isinstance(content, str) else content
    found = refusal(tmp_path, data, "m.jsonl")
    assert says in found.problem
    assert found.row == row


def test_ever_other_keys_are_refused_early(tmp_path: Path) -> None:
    """A file in which every line has keys of its own takes no memory without end."""
    lines = (json.dumps({"prompt": "A", f"key {n}": 1}) for n in range(2 * MOST_COLUMNS))
    found = refusal(tmp_path, "\n".join(lines), "m.jsonl")
    assert found.row == MOST_COLUMNS


def test_values_beyond_all_measure_are_refused_before_they_are_made(tmp_path: Path) -> None:
    """Twelve megabytes of brackets would be a gigabyte of lists; commas in texts don't count."""
    text = '["A",[' + "[]," * tree.MOST_NODES + "[]]]"
    tracemalloc.start()
    try:
        found = refusal(tmp_path, text)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "more than 4000000 values" in found.problem
    assert peak < 10 * len(text)
    commas = '{"prompt": "A", "x": "' + "," * (MOST_CELLS + 1) + '\\""}'
    (job,) = jobs(manifest(tmp_path, commas, "m.jsonl"))
    assert job.cells["x"] == "," * (MOST_CELLS + 1) + '"'


def test_a_file_too_large_is_refused(tmp_path: Path) -> None:
    """JSON is held in memory, so that its size has a limit."""
    path = tmp_path / "m.json"
    with path.open("wb") as file:
        file.truncate(tree.LARGEST_FILE + 1)
    with pytest.raises(ManifestError, match="larger than 64 MB"):
        open_manifest(path)


@pytest.mark.parametrize("name", ["m.json", "m.jsonl", "m.ndjson", "m.yaml"])
@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", None),
        ("utf-8-sig", None),
        ("utf-8-sig", "UTF-8"),
        ("utf-16", None),
        ("utf-16-be", "utf-16-be"),
        ("cp1252", "cp1252"),
    ],
)
def test_encodings(tmp_path: Path, name: str, encoding: str, said: str | None) -> None:
    """UTF-8 and UTF-16 are told by their marks, others by the person."""
    text = '{"prompt": "Ä fóx"}\n'
    text = f"[{text}]" if name in {"m.json", "m.yaml"} else text
    (job,) = jobs(manifest(tmp_path, text.encode(encoding), name, Reading(encoding=said)))
    assert job.request.prompt == "Ä fóx"


@pytest.mark.parametrize("name", ["m.json", "m.jsonl", "m.yaml"])
def test_another_encoding_than_said(tmp_path: Path, name: str) -> None:
    """What is not in the encoding that a person names is refused."""
    with pytest.raises(ManifestError, match="not ascii"):
        manifest(tmp_path, '["Ä"]', name, Reading(encoding="ascii"))


def test_lines_have_the_columns_of_all(tmp_path: Path) -> None:
    """By meaning, in the order in which they first appear, in their first spelling."""
    lines = ['{"Title": "t", "text": "A"}', '"B"', '{"name": "x", "Prompt": "C", "Title": null}']
    lines += ['{"id": "y", "prompt": "D", "name": "Anna"}']
    found = manifest(tmp_path, "\n".join(lines), "m.jsonl")
    assert found.columns == ("Title", "text", "id", "name")
    a, b, c, d = jobs(found)
    assert (a.request.prompt, b.request.prompt, c.key, d.key) == ("A", "B", "x", "y")
    assert [job.cells["name"] for job in (a, b, c, d)] == ["", "", "", "Anna"]


def test_lines_are_streamed(tmp_path: Path) -> None:
    """Five megabytes of lines never take one of memory."""
    path = tmp_path / "m.jsonl"
    row = {"prompt": "A fox", "notes": "x" * 2500, "tags": ["a", 1]}
    path.write_text("".join(json.dumps(row | {"id": str(n)}) + "\n" for n in range(2_000)))
    tracemalloc.start()
    try:
        table = open_jsonl(path)
        rows = sum(isinstance(row, RawRow) for row in table.rows())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rows == 2_000
    assert peak < 1_000_000 < path.stat().st_size


def test_a_file_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    """A key that came after the columns were collected would be lost."""
    found = manifest(tmp_path, '{"prompt": "A"}', "m.jsonl")
    found.path.write_text('{"prompt": "A", "duration": 15}')
    with pytest.raises(ManifestError, match="changed"):
        list(found.rows())


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=10)
ROWS = st.fixed_dictionaries(
    {
        "id": st.just("") | st.from_regex(r"[a-c][0-9]?", fullmatch=True),
        "prompt": st.text("'=+-@ab\"\n,;{}\\", min_size=1, max_size=8)
        .filter(lambda text: {"a", "b"} & {*text})
        .map(lambda text: f"'{text}" if text.lstrip().startswith("=") else text),
        "Seconds": st.sampled_from(["", "10", "15 s"]),
        "count": st.sampled_from(["", "1", "3"]),
        "notes": TEXTS,
    }
)


def export(target: Path, manifest: Manifest, found: Iterable[JobSpec]) -> None:
    """Write what ``batchsora export`` writes: the row's own cells and results."""
    result: dict[str, object] = dict.fromkeys(RESULT_NAMES)
    result |= {"status": "completed", "price": Decimal("0.12"), "attempts": 1, "error": "=oops"}
    rows = ({**job.cells, **result} for job in found)
    write_table(target, [*manifest.columns, *RESULT_NAMES], rows)


@settings(max_examples=20)
@given(rows=st.lists(ROWS, min_size=1, max_size=5, unique_by=lambda row: row["id"] or id(row)))
@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_an_export_loaded_again_means_the_same_videos(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, rows: list[dict[str, str]]
) -> None:
    """Keys, requests and cells are the same, and nothing more would be bought, ever after."""
    folder = tmp_path_factory.mktemp("trip")
    write_table(folder / f"first{suffix}", list(rows[0]), rows)
    first = open_manifest(folder / f"first{suffix}")
    found = jobs(first)
    export(folder / f"second{suffix}", first, found)
    second = open_manifest(folder / f"second{suffix}")
    assert (second.columns, second.warnings) == (first.columns, ())
    assert [replace(job, row=0) for job in jobs(second)] == [replace(job, row=0) for job in found]


OF_TWO: dict[str, Any] = {
    "status": ["completed", "failed"],
    "generation_id": ["g1", "g2"],
    "price": [0.12, "0.12"],
    "video_url": ["https://x.test/v.mp4", None],
    "file": ["videos/m/a.mp4", None],
    "error_kind": [None, "validation"],
    "error": ["", "refused"],
    "attempts": [1, 2],
    "submitted_at": ["2026-01-05T20:00:00Z", "2026-01-05T20:00:01Z"],
    "completed_at": ["2026-01-05T20:10:00Z", ""],
    "model": ["sora", "sora"],
    "sha256": ["0" * 64, ""],
    "verdict": ["favourite", ""],
    "reworded": [None, "a mild one"],
    "what_to_do": [None, "Next: change its row"],
}
"""The results of a row with two videos."""


@pytest.mark.parametrize("name", ["m.json", "m.jsonl", "m.yaml"])
def test_results_of_several_videos_are_known_however_large(tmp_path: Path, name: str) -> None:
    """An export has them as lists; nobody reads them."""
    results = {key: OF_TWO[key] for key in RESULT_NAMES} | {"error": ["x"] * 20_000}
    text = json.dumps({"prompt": "A", "own": [1], **results})
    found = manifest(tmp_path, f"[{text}]" if name != "m.jsonl" else text, name)
    (job,) = jobs(found)
    assert (found.columns, found.warnings) == (("prompt", "own"), ())
    assert job.cells == {"prompt": "A", "own": "[1]"}


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["jobs", "matrix", "values", "prompt", "id", "campaigns", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=25)  # each is read in a process apart; make fuzz goes further
@given(anything=ANYTHING, text=st.text(max_size=20), lines=st.booleans())
def test_nothing_crashes_the_reader(
    tmp_path_factory: pytest.TempPathFactory, anything: object, text: str, *, lines: bool
) -> None:
    """Whatever a file holds, it is read or refused."""
    folder = tmp_path_factory.mktemp("any")
    dumped = json.dumps(anything)
    for content in (dumped, text, f'{{"jobs": ["A"], "matrix": {dumped}}}', dumped + text):
        data = content.encode(errors="surrogatepass")
        try:
            found = list(manifest(folder, data, "m.jsonl" if lines else "m.json").rows())
        except ManifestError as error:
            assert error.problem.problem  # noqa: PT017 - both outcomes are right; each is judged
        else:
            assert found
