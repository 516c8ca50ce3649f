"""Tables as editors and spreadsheets save them: separators, encodings, names, defaults, folders."""

import codecs
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tiny import JPEG, PNG

from batchsora.manifest.raw import Reading
from batchsora.manifest.read import Manifest, ManifestError, open_manifest
from batchsora.tables import restored_at_first
from jobs.model.spec import JobSpec

ROWS = [["id", "prompt", "seconds"], ["a", "Ein Fuchs; müde", "15"], ["b", 'Say "hi", fox', ""]]


def written(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def asked(manifest: Manifest) -> list[tuple[str, str, int]]:
    found = []
    for job in manifest.rows():
        assert isinstance(job, JobSpec), job
        found.append((job.key, job.request.prompt, job.request.duration))
    return found


WANTED = [("a", "Ein Fuchs; müde", 15), ("b", 'Say "hi", fox', 10)]


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def table(separator: str, end: str = "\r\n") -> str:
    return end.join(separator.join(map(quoted, row)) for row in ROWS)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("comma.csv", table(",").encode()),
        ("bom.csv", codecs.BOM_UTF8 + table(",").encode()),
        ("semicolon.csv", table(";", "\n").encode()),
        ("tab.tsv", table("\t", "\r").encode()),
        ("tab.csv", table("\t").encode()),
        ("pipe.txt", table("|").encode()),
        ("unicode-text.txt", table("\t").encode("utf-16")),  # what Excel calls Unicode Text
        ("big-endian.csv", codecs.BOM_UTF16_BE + table(",").encode("utf-16-be")),
        ("told.csv", b"sep=;\r\n" + table(";").encode()),
        ("told-quoted.csv", b'"sep=\t"\n' + table("\t", "\n").encode()),
    ],
)
def test_a_table_is_read_however_it_was_saved(tmp_path: Path, name: str, content: bytes) -> None:
    """Nobody has to know what a separator or a byte order mark is."""
    assert asked(open_manifest(written(tmp_path, name, content))) == WANTED


def test_the_line_that_names_the_separator_counts_as_a_row(tmp_path: Path) -> None:
    """Errors name rows as the spreadsheet does."""
    path = written(tmp_path, "m.csv", "sep=;\nprompt;duration\nA;12\n")
    (problem,) = open_manifest(path).rows()
    assert problem.row == 3
    assert open_manifest(path).header_row == 2


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-16-le", "mac-roman", "utf-8"])
def test_an_encoding_can_be_said(tmp_path: Path, encoding: str) -> None:
    """What old programs save is read when somebody says what it is."""
    path = written(tmp_path, "m.csv", table(",").encode(encoding))
    assert asked(open_manifest(path, reading=Reading(encoding=encoding))) == WANTED


@pytest.mark.parametrize(
    ("content", "reading", "says"),
    [
        (table(",").encode("cp1252"), Reading(), "--encoding cp1252"),
        (table(",").encode("utf-16-le"), Reading(), "--encoding"),
        (table(",").encode("cp1252"), Reading(encoding="ascii"), "not ascii"),
        (b"prompt\nA\n", Reading(encoding="utf-16"), "not utf-16"),
        (codecs.BOM_UTF16_LE + b"p\0r", Reading(), "not utf-16"),
    ],
)
def test_another_encoding_is_refused_with_a_hint(
    tmp_path: Path, content: bytes, reading: Reading, says: str
) -> None:
    """Guessing would buy prompts with the wrong letters in them."""
    with pytest.raises(ManifestError) as caught:
        asked(open_manifest(written(tmp_path, "m.csv", content), reading=reading))
    assert says in str(caught.value)


def test_a_separator_can_be_said(tmp_path: Path) -> None:
    """A header without a separator outside quotes can't tell it; a person can."""
    path = written(tmp_path, "m.csv", "prompt~id\nA fox~f\n")
    manifest = open_manifest(path, reading=Reading(delimiter="~"))
    assert asked(manifest) == [("f", "A fox", 10)]


def test_a_person_says_what_a_column_means(tmp_path: Path) -> None:
    """As it is written, or nearly so; and it goes before what a column is called."""
    path = written(tmp_path, "m.csv", "Video idea,prompt,Länge (s)\nA fox,draft,15\n")
    said = {"video IDEA": "prompt", "Länge (s)": "duration"}
    manifest = open_manifest(path, reading=Reading(columns=said))
    assert [(job[1], job[2]) for job in asked(manifest)] == [("A fox", 15)]
    assert manifest.columns == ("Video idea", "prompt", "Länge (s)")
    assert any("'prompt'" in str(warning) for warning in manifest.warnings)


@pytest.mark.parametrize(
    ("header", "said", "says"),
    [
        ("Video,prompt", "Vidoe", "Did you mean 'Video'?"),
        ("Video,prompt", "nothing", "There are: 'Video', 'prompt'"),
        ("video,Video,prompt", "VIDEO", "two columns"),
    ],
)
def test_a_column_that_is_not_there_is_named(
    tmp_path: Path, header: str, said: str, says: str
) -> None:
    """A slip in --map must not pass as a column of nobody's."""
    path = written(tmp_path, "m.csv", f"{header}\nA,B,C\n")
    with pytest.raises(ManifestError) as caught:
        open_manifest(path, reading=Reading(columns={said: "campaign"}))
    assert says in str(caught.value)


def test_the_file_without_a_prompt_says_how_to_name_one(tmp_path: Path) -> None:
    """The first thing that a person with an own table meets."""
    with pytest.raises(ManifestError, match="--map"):
        open_manifest(written(tmp_path, "m.csv", "What you see\nA fox\n"))


def test_defaults_stand_under_empty_cells(tmp_path: Path) -> None:
    """In columns that are there, and in those that are not."""
    path = written(tmp_path, "m.csv", "prompt,seconds,note\nA,15,x\nB,,\n,,y\n")
    reading = Reading(defaults={"duration": "10", "orientation": "16:9", "prompt": "C"})
    manifest = open_manifest(path, reading=reading)
    jobs = [job for job in manifest.rows() if isinstance(job, JobSpec)]
    seen = [(job.request.prompt, job.request.duration, job.request.orientation) for job in jobs]
    assert seen == [("A", 15, "16:9"), ("B", 10, "16:9"), ("C", 10, "16:9")]
    assert dict(jobs[1].cells) == {
        "prompt": "B", "seconds": "10", "note": "", "orientation": "16:9",
    }  # fmt: skip


def test_a_row_with_an_image_of_its_own_takes_no_default_one(tmp_path: Path) -> None:
    """Whichever way each of them is given."""
    (tmp_path / "cat.png").write_bytes(PNG)
    path = written(tmp_path, "m.csv", "prompt,image\nA,cat.png\nB,\n")
    reading = Reading(defaults={"image_url": "https://example.com/x.png"})
    jobs = [job for job in open_manifest(path, reading=reading).rows() if isinstance(job, JobSpec)]
    sources = [job.request.image.source for job in jobs if job.request.image]
    assert sources == ["cat.png", "https://example.com/x.png"]


def test_a_cell_too_many_is_a_fault_beside_defaults_too(tmp_path: Path) -> None:
    """It must not slip into the column that a default adds."""
    path = written(tmp_path, "m.csv", "prompt,note\nA, with a comma,16:9\n")
    (problem,) = open_manifest(path, reading=Reading(defaults={"orientation": "9:16"})).rows()
    assert not isinstance(problem, JobSpec)
    assert "cells" in problem.problem


def test_a_folder_of_pictures_is_a_manifest(tmp_path: Path) -> None:
    """In the order of people, named by the files, other files left alone."""
    folder = tmp_path / "holiday"
    folder.mkdir()
    for name in ("10.png", "2.png", "cat.JPG", ".hidden.png", "notes.txt"):
        written(folder, name, JPEG if name.endswith("JPG") else PNG)
    reading = Reading(defaults={"prompt": "Animate this", "duration": "15"})
    manifest = open_manifest(folder, reading=reading)
    assert manifest.name == "holiday"
    assert asked(manifest) == [
        (name, "Animate this", 15) for name in ("2.png", "10.png", "cat.JPG")
    ]


def test_a_folder_says_what_it_lacks(tmp_path: Path) -> None:
    """A prompt, pictures, or pictures that can be sent."""
    written(tmp_path, "cat.png", PNG)
    with pytest.raises(ManifestError, match="--prompt"):
        open_manifest(tmp_path)
    (tmp_path / "empty").mkdir()
    said = Reading(defaults={"prompt": "A"})
    with pytest.raises(ManifestError, match="no pictures"):
        open_manifest(tmp_path / "empty", reading=said)
    written(tmp_path, "dog.gif", b"GIF89a" + b"\0" * 20)
    problems = [
        one for one in open_manifest(tmp_path, reading=said).rows() if not isinstance(one, JobSpec)
    ]
    assert [(one.found, one.problem) for one in problems] == [
        ("dog.gif", "the image is actually a GIF")
    ]


def test_a_link_in_a_folder_does_not_lead_out_of_it(tmp_path: Path) -> None:
    """A folder, too, may come from somebody else."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    written(tmp_path, "mine.png", PNG)
    (folder / "theirs.png").symlink_to(tmp_path / "mine.png")
    reading = Reading(defaults={"prompt": "A"})
    (problem,) = open_manifest(folder, reading=reading).rows()
    assert not isinstance(problem, JobSpec)
    assert "outside" in problem.problem
    (job,) = open_manifest(folder, reading=reading, allow_outside=True).rows()
    assert isinstance(job, JobSpec)


@given(
    rows=st.lists(
        st.text("ab;,|\t\"' é", min_size=1, max_size=8)
        .map(str.strip)
        .filter(lambda text: any(map(str.isalnum, text))),  # else it says nothing
        min_size=1,
        max_size=5,
    ),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
@settings(max_examples=60, deadline=None)
def test_any_text_survives_any_dialect(
    tmp_path_factory: pytest.TempPathFactory, rows: list[str], separator: str, encoding: str
) -> None:
    """What a spreadsheet quotes correctly is read as it is."""
    folder = tmp_path_factory.mktemp("dialect")
    marked = [row if restored_at_first(row) == row else f"'{row}" for row in rows]
    lines = [["id", "prompt"], *([str(n), row] for n, row in enumerate(marked))]
    text = "\r\n".join(separator.join(map(quoted, line)) for line in lines)
    manifest = open_manifest(written(folder, "m.csv", text.encode(encoding)))
    assert [prompt for _, prompt, _ in asked(manifest)] == rows
