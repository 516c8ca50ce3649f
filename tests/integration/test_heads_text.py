"""Text tables as programs write them: headers over lines, quotes, and encodings."""

import re
from pathlib import Path

import pytest

from batchsora.manifest.errors import ManifestError
from batchsora.manifest.raw import Reading
from batchsora.manifest.read import Manifest, open_manifest
from jobs.model.spec import JobSpec

DATA = Path(__file__).parents[1] / "data" / "heads"


def jobs(manifest: Manifest) -> list[JobSpec]:
    found = list(manifest.rows())
    assert all(isinstance(item, JobSpec) for item in found), found
    return [item for item in found if isinstance(item, JobSpec)]


@pytest.mark.parametrize(
    ("name", "orientation"),
    [("multiline-header.csv", "9:16"), ("multiline-header-ratio.csv", "16:9")],
)
def test_a_header_over_several_lines(name: str, orientation: str) -> None:
    """The separator is looked for in all of it."""
    (job,) = jobs(open_manifest(DATA / name))
    assert (job.request.prompt, job.request.duration) == ("A kite", 15)
    assert job.request.orientation == orientation


def test_separators_inside_quotes_of_the_header_do_not_count(tmp_path: Path) -> None:
    """Nor do line breaks and doubled quotes there."""
    path = tmp_path / "m.csv"
    path.write_text('"Prompt\n(short, clear, ""in English"", please)";Duration\nA kite;15\n')
    assert jobs(open_manifest(path))[0].request.duration == 15


def test_a_tsv_without_quoting(tmp_path: Path) -> None:
    """Google Sheets writes texts as they are; what another program has quoted is unquoted."""
    path = tmp_path / "m.tsv"
    path.write_text('prompt\tnote\n"Hi" says a kite\t5" wide\nA heron\t\n')
    assert [job.request.prompt for job in jobs(open_manifest(path))] == [
        '"Hi" says a kite',
        "A heron",
    ]
    path.write_text('prompt\tnote\n"A ""red""\tkite"\tx\n')
    assert jobs(open_manifest(path))[0].request.prompt == 'A "red"\tkite'
    path.write_text('prompt\tnote\n"Hi" says a kite\tx\ty\n')
    with pytest.raises(ManifestError, match="quotes in row 2"):
        open_manifest(path)


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("prompt;Länge\nEin Drache über dem „Meer“ … schön;10,0\n", "cp1252"),
        ("prompt,note\nUn «cerf-volant» à midi été,é\n", "cp1252"),
        ("prompt,note\nCafé € naïve,x\n", "cp1252"),
        ("prompt\n一只风筝在海上\n", "gbk"),
        ("prompt\n\u0431\u0435\u043b\u044b\u0439 \u0437\u043c\u0435\u0439\n", "cp1251"),
        ("prompt\n海の上の赤い凧とカモメ\n", "shift_jis"),
        ("prompt\nA kite\n", "utf-16-le"),
        ("prompt\nDrachen über dem Meer\n", "utf-16-be"),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".yaml"])
def test_the_encoding_that_is_named_reads_the_file(
    tmp_path: Path, content: str, encoding: str, suffix: str
) -> None:
    """What the error says to type works, and gives the text as it was written."""
    path = tmp_path / f"m{suffix}"
    text = content.split("\n")[1].split(";", maxsplit=1)[0].split(",", maxsplit=1)[0]
    if suffix == ".jsonl":
        content = f'{{"prompt": "{text}"}}\n'
    elif suffix == ".yaml":
        content = f'- prompt: "{text}"\n'
    path.write_bytes(content.encode(encoding))
    with pytest.raises(ManifestError) as caught:
        list(open_manifest(path).rows())
    named = re.search(r"--encoding ([\w-]+)", str(caught.value))
    assert named is not None, caught.value
    (job,) = jobs(open_manifest(path, reading=Reading(encoding=named[1])))
    assert job.request.prompt == text


@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_mark_says_the_encoding(tmp_path: Path, mark: str) -> None:
    """Nothing has to be typed."""
    path = tmp_path / "m.csv"
    path.write_bytes("prompt;Länge\nÜber dem Meer;1\n".encode(mark))
    assert jobs(open_manifest(path))[0].request.prompt == "Über dem Meer"
    assert jobs(open_manifest(DATA / "utf32.csv"))[0].request.prompt == "A kite"


def test_no_encoding_is_named_for_a_file_that_mixes_two() -> None:
    """Read as cp1252, its UTF-8 lines would say something else, and be bought."""
    with pytest.raises(ManifestError, match="line 3 is not UTF-8") as caught:
        list(open_manifest(DATA / "mixed-encodings.csv").rows())
    assert "mixes UTF-8 with another encoding" in caught.value.problem.remedy
    assert "--encoding cp" not in caught.value.problem.remedy


@pytest.mark.parametrize("said", ["cp1252", "latin-1", "mac-roman", "cp1251"])
def test_a_file_that_is_utf_8_is_not_read_as_another(said: str) -> None:
    """It would be read without an error, and each é bought as Ã©."""
    path = DATA / "utf8_said_cp1252.csv"
    with pytest.raises(ManifestError, match="Remove --encoding"):
        open_manifest(path, reading=Reading(encoding=said))
    assert jobs(open_manifest(path))[0].request.prompt == "A kité “red”"


def test_excel_in_german(tmp_path: Path) -> None:
    """Semicolons, a decimal comma, and a byte order mark: nothing has to be said."""
    path = tmp_path / "Ideen.csv"
    text = (
        "Nr.;Prompt;Duration (sec);Aspect ratio;Preis\r\n"
        '1;"Ein Drache; rot";10,0;16:09;0,12\r\n'
        "2;Über dem Meer;15;Portrait;1.234,50\r\n"
        "Summe;;25;;1.234,62\r\n"
    )
    path.write_bytes(text.encode("utf-8-sig"))
    found = jobs(open_manifest(path))
    assert [(job.request.prompt, job.request.duration) for job in found] == [
        ("Ein Drache; rot", 10),
        ("Über dem Meer", 15),
    ]
    assert [job.request.orientation for job in found] == ["16:9", "9:16"]
    path.write_bytes(text.encode("cp1252"))
    with pytest.raises(ManifestError, match="Use --encoding cp1252"):
        open_manifest(path)
    again = open_manifest(path, reading=Reading(encoding="cp1252"))
    assert [job.key for job in jobs(again)] == [job.key for job in found]


def test_a_google_sheets_download(tmp_path: Path) -> None:
    """UTF-8 without a mark, commas, checkboxes down to the last row."""
    path = tmp_path / "Ideas - Sheet1.csv"
    path.write_text(
        "Done,Video idea,Length (sec),Notes\r\n"
        'FALSE,"A kite, red\nover the sea",10,\r\nTRUE,Été,15,ok\r\n' + "FALSE,,,\r\n" * 200,
        newline="",
        encoding="utf-8",
    )
    found = jobs(open_manifest(path))
    assert [(job.request.prompt, job.request.duration) for job in found] == [
        ("A kite, red\nover the sea", 10),
        ("Été", 15),
    ]
