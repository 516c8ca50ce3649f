"""CSV manifests, from real files."""

import csv
import os
from base64 import b64encode
from pathlib import Path

import pytest
from support.tiny import PNG, png

from batchsora.manifest.formats.csv_reader import open_csv
from batchsora.manifest.raw import RawRow
from batchsora.manifest.read import Manifest, ManifestError, RowProblem, open_manifest
from jobs.model.spec import JobSpec


def manifest(folder: Path, content: str | bytes, name: str = "m.csv") -> Manifest:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return open_manifest(path)


def jobs(manifest: Manifest) -> list[JobSpec]:
    found = list(manifest.rows())
    assert all(isinstance(item, JobSpec) for item in found), found
    return [item for item in found if isinstance(item, JobSpec)]


def problems(manifest: Manifest) -> list[RowProblem]:
    return [item for item in manifest.rows() if isinstance(item, RowProblem)]


def refusal(folder: Path, content: str | bytes, name: str = "m.csv") -> RowProblem:
    with pytest.raises(ManifestError) as caught:
        list(manifest(folder, content, name).rows())
    assert caught.value.problem.remedy
    return caught.value.problem


def test_a_row_becomes_a_job(tmp_path: Path) -> None:
    """Every column arrives where it belongs, and the row as written goes with it."""
    (tmp_path / "fox.png").write_bytes(PNG)
    found = manifest(
        tmp_path,
        "id,Text,image,Aspect Ratio,Seconds,campaign,priority,callback_url,Title\n"
        "007, A fox ,fox.png,landscape,15 s,spring,-5,https://example.com/h,Der Fuchs\n",
    )
    assert found.name == "m"
    header = "id,Text,image,Aspect Ratio,Seconds,campaign,priority,callback_url,Title"
    assert ",".join(found.columns) == header
    assert (found.budget, found.campaign_budgets, found.warnings) == (None, {}, ())
    (job,) = jobs(found)
    assert (job.key, job.key_from_content, job.row) == ("007", False, 2)
    assert (job.campaign, job.priority) == ("spring", -5)
    request = job.request
    assert (request.prompt, request.orientation, request.duration) == ("A fox", "16:9", 15)
    assert request.callback_url == "https://example.com/h"
    assert request.image is not None
    assert request.image.media_type == "image/png"
    assert job.cells["Text"] == " A fox "
    assert job.cells["Title"] == "Der Fuchs"
    assert tuple(job.cells) == found.columns


def test_what_is_not_said_is_the_default(tmp_path: Path) -> None:
    """A prompt alone is enough."""
    (job,) = jobs(manifest(tmp_path, "prompt\nA fox\n"))
    assert job.request.orientation == "9:16"
    assert job.request.duration == 10
    assert job.request.image is None
    assert (job.campaign, job.priority, job.key_from_content) == (None, 0, True)
    assert job.key.startswith("r-")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "with a byte order mark"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_every_programs_csv_is_read(tmp_path: Path, end: str, mark: str, delimiter: str) -> None:
    """Line ends, byte order mark and delimiter make no difference."""
    rows = ["id,prompt,title", 'a,"Ein Fuchs, im Schnee; ""jetzt""",x', "b,Ä,y"]
    text = end.join(row.replace("Fuchs,", "Fuchs\0").replace(",", delimiter) for row in rows)
    found = jobs(manifest(tmp_path, mark + text.replace("\0", ",")))
    assert [job.request.prompt for job in found] == ['Ein Fuchs, im Schnee; "jetzt"', "Ä"]
    assert [job.key for job in found] == ["a", "b"]
    assert [job.row for job in found] == [2, 3]


def test_rows_are_counted_as_a_spreadsheet_counts(tmp_path: Path) -> None:
    """Line breaks in quotes make no new row, blank rows count and are left out."""
    text = 'id,prompt\na,"one\ntwo\nthree"\n\n,\n  ,\t\nb,four\n'
    assert [(job.key, job.row) for job in jobs(manifest(tmp_path, text))] == [("a", 2), ("b", 6)]


def test_the_header_may_stand_lower(tmp_path: Path) -> None:
    """Blank rows before the header are passed over."""
    assert [job.row for job in jobs(manifest(tmp_path, "\n,,\nprompt,a\nx,y\n"))] == [4]


def test_short_rows_are_filled_and_long_ones_refused(tmp_path: Path) -> None:
    """Missing cells at the end are empty; a cell too many would shift the meaning of others."""
    found = list(manifest(tmp_path, "prompt,title\nA\nB,b,,\nC, with a comma,c\n").rows())
    assert [isinstance(item, JobSpec) for item in found] == [True, True, False]
    first, last = found[0], found[2]
    assert isinstance(first, JobSpec)
    assert first.cells == {"prompt": "A", "title": ""}
    assert isinstance(last, RowProblem)
    assert (last.row, last.found) == (4, "c")
    assert "quotes" in last.remedy


def test_every_fault_of_a_row_is_named(tmp_path: Path) -> None:
    """One look shows all that is to mend; good rows are not held up."""
    text = "id,prompt,orientation,duration,count\n-x, ,1:1,12,1e9\ny,A fox,,,\n"
    found = list(manifest(tmp_path, text).rows())
    faults = [item for item in found if isinstance(item, RowProblem)]
    assert [fault.column for fault in faults] == [
        "prompt",
        "id",
        "orientation",
        "duration",
        "count",
    ]
    assert {fault.row for fault in faults} == {2}
    assert faults[3].found == "12"
    assert isinstance(found[-1], JobSpec)


def test_an_image_twice_is_refused(tmp_path: Path) -> None:
    """An image and an image_url can't both be sent."""
    text = "prompt,image,image_url\nA,https://example.com/a.png,https://example.com/b.png\n"
    (fault,) = problems(manifest(tmp_path, text))
    assert "image_url" in fault.problem


def test_image_url_alone(tmp_path: Path) -> None:
    """The column image_url takes web addresses and nothing else."""
    text = "prompt,image,image_url\nA,,https://example.com/b.png\nB,,fox.png\n"
    first, second = manifest(tmp_path, text).rows()
    assert isinstance(first, JobSpec)
    assert first.request.image is not None
    assert first.request.image.source == "https://example.com/b.png"
    assert isinstance(second, RowProblem)


def test_variants(tmp_path: Path) -> None:
    """``count`` makes numbered jobs whose cells describe one of them each."""
    found = jobs(manifest(tmp_path, "Name,prompt,copies\nfox,A fox,3\n,A fox,2\ncat,A cat,\n"))
    by_id, by_content, single = found[:3], found[3:5], found[5]
    assert [job.key for job in by_id] == ["fox", "fox#2", "fox#3"]
    assert [job.cells["Name"] for job in by_id] == ["fox", "fox#2", "fox#3"]
    assert {job.cells["copies"] for job in (*by_id, *by_content)} == {"1"}
    assert by_content[1].key == f"{by_content[0].key}#2"
    assert {job.cells["Name"] for job in by_content} == {""}
    assert single.cells == {"Name": "cat", "prompt": "A cat", "copies": ""}


def test_a_clash_names_both_rows(tmp_path: Path) -> None:
    """Two rows of one id, or an id that a variant has, are told with the other's row."""
    found = problems(manifest(tmp_path, "id,prompt,count\na,A,2\na#2,B,\na,C,\nb,D,\n"))
    assert [fault.row for fault in found] == [3, 4]
    assert all("row 2" in fault.problem for fault in found)


def test_keys_do_not_depend_on_the_order(tmp_path: Path) -> None:
    """Sorting and inserting rows changes no key of a row without id."""
    before = jobs(manifest(tmp_path, "prompt,title\nA,1\nB,2\nC,3\n"))
    after = jobs(manifest(tmp_path, "title,prompt\n3,C\n9,New\n1,A\n2,B\n"))
    assert {job.key for job in before} < {job.key for job in after}


def test_rows_may_be_read_again(tmp_path: Path) -> None:
    """Counting first and loading afterwards gives the same twice."""
    found = manifest(tmp_path, "prompt,count\nA,2\nA,1\n")
    assert jobs(found) == jobs(found)
    assert len(jobs(found)) == 3


def test_a_header_changed_between_readings_is_noticed(tmp_path: Path) -> None:
    """Columns are never taken for others because somebody saved the file meanwhile."""
    found = manifest(tmp_path, "prompt,title\nA,b\n")
    (tmp_path / "m.csv").write_text("title,prompt\nA,b\n")
    with pytest.raises(ManifestError, match="changed"):
        list(found.rows())


def test_formula_marks_are_taken_away(tmp_path: Path) -> None:
    """What an export marked is loaded without the mark; honest apostrophes stay."""
    text = "prompt,a,b,c,d\nx,'=1+1,''@x,'hello,-5\n"
    (job,) = jobs(manifest(tmp_path, text))
    assert [job.cells[name] for name in "abcd"] == ["=1+1", "'@x", "'hello", "-5"]


def test_a_nameless_column_must_be_empty(tmp_path: Path) -> None:
    """A cell below no header would be lost; empty columns at the end don't matter."""
    found = list(manifest(tmp_path, "prompt,,title,,\nA,,t,,\nB,lost,t,,\n").rows())
    assert isinstance(found[0], JobSpec)
    assert found[0].cells == {"prompt": "A", "title": "t"}
    assert isinstance(found[1], RowProblem)
    assert "column 2 has no name" in found[1].problem


def test_misspelt_columns_are_flagged(tmp_path: Path) -> None:
    """The runner learns which columns to ask about before it spends."""
    found = manifest(tmp_path, "prompt,durration\nA,15\n")
    assert found.suspicious_columns == ("durration",)
    assert found.warnings[0].as_json()["column"] == "durration"
    assert found.columns == ("prompt", "durration")


def test_a_large_data_uri_fits_into_a_cell(tmp_path: Path) -> None:
    """The csv module's own limit of 128 KB doesn't stand in the way of an image."""
    data = png(bytes(300_000))
    uri = f"data:image/png;base64,{b64encode(data).decode()}"
    (job,) = jobs(manifest(tmp_path, f'prompt,image\nA,"{uri}"\n'))
    assert job.request.image is not None
    assert job.request.image.size == len(data)


@pytest.mark.parametrize(
    ("content", "says", "row"),
    [
        (b"", "empty", None),
        (b"\xef\xbb\xbf", "empty", None),
        (b"\n\n  \n", "empty", None),
        (b"prompt\n", "no rows below", None),
        (b"prompt\n\n , \n", "no rows below", None),
        (b"title\nA\n", "no column 'prompt'", 1),
        (b'prompt\n"A fox\nB\nC\n', "begins in row 2 (line 2) is never closed", 2),
        (b'prompt\nA\n"B" or C\n', "quotes in row 3 (line 3) don't match", 3),
        ("prompt\nA\nÄ\n".encode("latin-1"), "line 3 is not UTF-8", None),
        ("prompt\nA\n".encode("utf-16-le"), "NUL", None),
        (b"prompt\nA\0B\n", "NUL", None),
        (b"\x89PNG\r\n\x1a\n\0\0", "not UTF-8", None),
        (b"prompt,Prompt\nA,B\n", "several columns mean 'prompt'", 1),
    ],
)
def test_a_file_that_can_not_be_trusted_is_refused(
    tmp_path: Path, content: bytes, says: str, row: int | None
) -> None:
    """Nothing of such a file is used; the message says where and why."""
    found = refusal(tmp_path, content)
    assert says in found.problem
    assert found.row == row


def test_damage_far_down_is_found(tmp_path: Path) -> None:
    """The decoder reads ahead, the message names the right line all the same."""
    good = "".join(f"prompt number {number}\n" for number in range(5000)).encode()
    assert "line 5002 is not UTF-8" in refusal(tmp_path, b"prompt\n" + good + b"\xe4\n").problem


@pytest.mark.posix  # a pipe that lies in a folder
def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """Folders, pipes and missing files are told apart, and nothing blocks."""
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    for name, says in [
        ("folder", "a folder"),
        ("pipe", "not a regular file"),
        ("none", "can't be read"),
    ]:
        with pytest.raises(ManifestError, match=says):
            open_manifest(tmp_path / f"{name}.csv")
    with pytest.raises(ManifestError, match="can't be read"):
        open_manifest(tmp_path / "a\0.csv")


def test_other_formats_are_named(tmp_path: Path) -> None:
    """The message lists what can be read."""
    assert "Save it as .xlsx or CSV UTF-8" in refusal(tmp_path, "x", "m.numbers").remedy
    assert "without suffix" in refusal(tmp_path, "x", "manifest").problem


def test_the_suffix_may_be_in_capitals(tmp_path: Path) -> None:
    """Other systems shout."""
    assert len(jobs(manifest(tmp_path, "PROMPT\nA\n", "M.CSV"))) == 1


def test_rows_are_streamed(tmp_path: Path) -> None:
    """A million rows are not read to see the first one."""
    path = tmp_path / "m.csv"
    path.write_bytes(b"prompt\nA\n" + b"B\n" * 100_000 + b"\xff\n")
    rows = open_csv(path).rows()
    assert next(rows) == RawRow(2, ["A"])


def test_other_readers_of_csv_are_not_harmed(tmp_path: Path) -> None:
    """The process-wide limit of the csv module is only ever raised."""
    before = csv.field_size_limit()
    try:
        csv.field_size_limit(2**30)
        jobs(manifest(tmp_path, "prompt\nA\n"))
        assert csv.field_size_limit() == 2**30
    finally:
        csv.field_size_limit(before)


def test_a_problem_reads_as_one_sentence_after_the_other(tmp_path: Path) -> None:
    """A person sees the place, the fault, what was found, and the remedy; no control characters."""
    (fault,) = problems(manifest(tmp_path, "prompt,duration\nA,\x1b[2J12\n"))
    assert str(fault) == (
        f"{tmp_path / 'm.csv'}, row 2, column 'duration': unsupported duration "
        '(found "\\u001b[2J12"). Write 10 or 15 (seconds).'
    )
    assert fault.as_json() == {
        "file": str(tmp_path / "m.csv"),
        "row": 2,
        "column": "duration",
        "found": "\x1b[2J12",
        "problem": "unsupported duration",
        "remedy": "Write 10 or 15 (seconds).",
    }
