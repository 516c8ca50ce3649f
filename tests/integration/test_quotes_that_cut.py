"""A separator inside quotes that do not enclose the cell: half of a text is never bought."""

from pathlib import Path

import pytest

from batchsora.manifest.errors import RowProblem
from batchsora.manifest.read import ManifestError, open_manifest
from batchsora.runblob.kinds import kind_of
from batchsora.tables import write_table
from jobs.spec import SpecRow

RESULTS = ["status", "generation_id", "error_kind"]


def read(path: Path) -> tuple[list[str], list[RowProblem]]:
    """Give the prompts of a table, and its problems."""
    rows = list(open_manifest(path).spec_rows(lambda request: kind_of(request).key))
    prompts = [row.prompt for row in rows if isinstance(row, SpecRow)]
    return prompts, [row for row in rows if isinstance(row, RowProblem)]


def table(folder: Path, text: str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ('1,He said "go, my dear, now" loudly', 'He said "go'),
        ('1,A sign that says "sun, sea, sand",,', 'A sign that says "sun'),
        ('1,A "red, green, blue" kite,', 'A "red'),
        ('1,He said "go, now" loudly', 'He said "go'),
        ("1,“A kite, red”", "“A kite"),
        ("1,A sign “sun, sea, sand” at noon", "A sign “sun"),
        ("1,„Ein Drachen, rot“", "„Ein Drachen"),
        ("1,„Ein Drachen, rot”", "„Ein Drachen"),
        ("1,«Un cerf-volant, rouge»", "«Un cerf-volant"),
        ("1,« Un cerf-volant, rouge »", "« Un cerf-volant"),
        ("1,'A kite, red'", "'A kite"),
        ("1,He says 'go, don't wait, now' loudly", "He says 'go"),
        ("1,\u2018A kite, red\u2019", "\u2018A kite"),
        ("1,\u201aEin Drachen, rot\u2018", "\u201aEin Drachen"),
        ("1,“A kite, red”,x,done", "“A kite"),
    ],
)
def test_a_text_that_separators_cut_is_an_error(tmp_path: Path, row: str, found: str) -> None:
    path = table(tmp_path, f"id,prompt,notes,owner,more\n{row}\n2,A boat,,,\n")
    prompts, problems = read(path)
    assert prompts == ["A boat"]
    (problem,) = problems
    assert (problem.row, problem.column, problem.found) == (2, "prompt", found)
    assert "Put the whole cell in quotes" in problem.remedy


@pytest.mark.parametrize(
    ("row", "prompt"),
    [
        ('1,A 5" screen,a 7" one', 'A 5" screen'),
        ("1,A dog that doesn't bark,the dogs' park", "A dog that doesn't bark"),
        ("1,rock 'n' roll,rock 'n' roll", "rock 'n' roll"),
        ("1,'90s disco,the dancers'", "'90s disco"),
        ("1,'Tis the season,the kids' toys", "'Tis the season"),
        ("1,A dog that doesn\u2019t bark,the dogs\u2019 park", "A dog that doesn\u2019t bark"),
        ("1,A dogs\u2019 park,\u2018old\u2019", "A dogs\u2019 park"),
        ("1,“A kite”,“A boat”", "“A kite”"),
        ("1,A “kite,a “boat” too", "A “kite"),
        ("1,A 'kite,x", "A 'kite"),
        ("1,„Drachen“ und „Boot“,„x“", "„Drachen“ und „Boot“"),
        ("1,Home » Kites,« x", "Home » Kites"),
        ('1,"“A kite, red”",x', "“A kite, red”"),
        ('1,"“A kite","red”"', "“A kite"),
        ('1,"A ""big"" “kite",red”', 'A "big" “kite'),
        ("1,'=x,y'", "=x"),
    ],
)
def test_an_honest_text_is_read_as_it_stands(tmp_path: Path, row: str, prompt: str) -> None:
    assert read(table(tmp_path, f"id,prompt,notes,owner\n{row}\n")) == ([prompt], [])


def test_an_export_is_read_again_whatever_its_texts_open(tmp_path: Path) -> None:
    """Whoever wrote the results enclosed every text that has a separator."""
    path = tmp_path / "t.csv"
    row = {"prompt": "'A kite", "notes": "red'", "status": "done"}
    write_table(path, ["prompt", "notes", *RESULTS], [row, row | {"prompt": "“A boat, red”"}])
    assert read(path) == (["'A kite", "“A boat, red”"], [])
    with path.open("a", encoding="utf-8") as file:
        file.write("'A hill, old'\r\n")
    assert [problem.row for problem in read(path)[1]] == [4]


def test_quotes_of_texts_do_not_glue_rows_that_tabs_separate(tmp_path: Path) -> None:
    """Google Sheets' .tsv has no quotes around cells."""
    path = table(tmp_path, 'Video idea\tNotes\n"Hello" goes\tx\nA boat\ty\n', "t.tsv")
    assert read(path) == (['"Hello" goes', "A boat"], [])
    path = table(tmp_path, 'Video idea\tNotes\n"Hello\tx\nA boat\ty\nBye"\tz\n', "t.tsv")
    assert read(path) == (['"Hello', "A boat", 'Bye"'], [])


def test_a_quote_around_tabs_and_lines_that_can_not_be_told_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path, 'Video idea\tNotes\nA hill\tx\n"Hello\tx\nA boat\nBye"\tz\n', "t.tsv")
    with pytest.raises(ManifestError, match="row 3") as error:
        read(path)
    assert "save the table as .xlsx" in str(error.value)


def test_a_text_with_a_line_break_between_tabs_is_one(tmp_path: Path) -> None:
    """Excel's Unicode text encloses it."""
    path = table(tmp_path, 'Video idea\tNotes\n"A kite\nred"\tx\n"A\tboat"\ty\n', "t.tsv")
    assert read(path) == (["A kite\nred", "A\tboat"], [])


def test_an_export_between_tabs_keeps_texts_with_both(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    write_table(path, ["prompt", *RESULTS], [{"prompt": "A kite\t\nred", "status": "done"}])
    assert read(path) == (["A kite\t\nred"], [])


def test_a_text_with_tabs_and_lines_is_one_where_its_own_quotes_are_doubled(tmp_path: Path) -> None:
    """As LibreOffice and Excel write it, also beside a row that is too short."""
    text = 'Video idea\tNotes\tOwner\n"A ""big""\n\tkite"\tx\t\nA boat\n'
    assert read(table(tmp_path, text, "t.tsv")) == (['A "big"\n\tkite', "A boat"], [])
