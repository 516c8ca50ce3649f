"""A separator inside quotes that do not enclose the cell: half of a text is never bought."""

import time
from contextlib import suppress
from pathlib import Path

import pytest

from batchsora.manifest.errors import RowProblem
from batchsora.manifest.read import ManifestError, open_manifest
from batchsora.providers.registry import kind_of
from batchsora.tables import write_table
from jobs.model.spec import SpecRow

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
        ('1,A sign "¡Sol, playa!" on a wall', 'A sign "¡Sol'),
        ('1,He thinks "...and then, he left"', 'He thinks "...and then'),
        ('1,A shop "(soft, warm) light" sign', 'A shop "(soft'),
        ('1,A bottle "#1, the best" of all', 'A bottle "#1'),
        ('1,A bowl "\U0001f525 hot, spicy" of soup', 'A bowl "\U0001f525 hot'),
        ('1,A kite says "go, now " loudly', 'A kite says "go'),
        ('1,A kite says " go, now" loudly', 'A kite says " go'),
        ('1,He shouts "take 5, 10" loudly', 'He shouts "take 5'),
        ('1,He has a 5" pipe and says "go, now"', 'He has a 5" pipe and says "go'),
        ('1,He said "go, my ""dear"" one, now"', 'He said "go'),
        ('1,写着"你好, 世界"的牌子', '写着"你好'),
        ("1,写着“你好, 世界”的牌子", "写着“你好"),
        ("1,»Rot, alt«", "»Rot"),
        ("1,Ein Schild (»Rot, alt«)", "Ein Schild (»Rot"),
        ("1,»Röd, gammal»", "»Röd"),
        ("1,\u203aRot, alt\u2039", "\u203aRot"),
        ("1,\u2039Rot, alt\u203a", "\u2039Rot"),
        ("1,”Röd, gammal”", "”Röd"),
        ("1,\u2019Röd, gammal\u2019", "\u2019Röd"),
        ('1,„Rot, alt"', "„Rot"),
        ('1,“Rot, alt"', "“Rot"),
        ("1,‟Rot, alt”", "‟Rot"),
        ("1,「red, kite」", "「red"),
        ("1,『red, kite』", "『red"),
        ("1,《red, kite》", "《red"),
        ("1,\uff62red, kite\uff63", "\uff62red"),
        ("1,\uff02red, kite\uff02", "\uff02red"),
        ("1,`red, kite`", "`red"),
        ("1,`red, kite\u00b4", "`red"),
        ("1,``red, kite''", "``red"),
        ("1,\u00b4red, kite\u00b4", "\u00b4red"),
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
        ('1,A 5" screen,he said "go"', 'A 5" screen'),
        ('1,A 5½" pipe,a 2½" one', 'A 5½" pipe'),
        ("1,A 4'10\" wall,5'1\" high", "A 4'10\" wall"),
        ('1,A six inch" nail,a 5" one', 'A six inch" nail'),
        ("1,A 5” pipe,an 8” one", "A 5” pipe"),
        ("1,Home » Kites » Red,see » more", "Home » Kites » Red"),
        ("1,«Oui!» dit-il,«Non!»", "«Oui!» dit-il"),
        ("1,A `kite`,a `boat`", "A `kite`"),
        ("1,`Iolani Palace,x", "`Iolani Palace"),
        ("1,rock \u2019n\u2019 roll,the dancers\u2019", "rock \u2019n\u2019 roll"),
        ("1,\u201990s disco,the dancers\u2019", "\u201990s disco"),
        ('1,A “kite,a "boat" too', "A “kite"),
        ("1,「赤い凧」が飛ぶ,「海」", "「赤い凧」が飛ぶ"),
        ('1,"„Rot, alt""",x', '„Rot, alt"'),
    ],
)
def test_an_honest_text_is_read_as_it_stands(tmp_path: Path, row: str, prompt: str) -> None:
    assert read(table(tmp_path, f"id,prompt,notes,owner\n{row}\n")) == ([prompt], [])


@pytest.mark.parametrize(
    ("shape", "few", "many"),
    [
        ("id,prompt,notes,x\n1,A kite,{},x\n", "'a' " * 20_000, "'a' " * 80_000),
        ("id,prompt,notes,x\n1,A kite,{},x\n", '" ' * 20_000, '" ' * 80_000),
        ("id,prompt,notes,x\n1,A kite,{},x\n", "“ ” " * 20_000, "“ ” " * 80_000),
        ('id,prompt\n1,"q"{}\n', ",“a bb" * 5_000, ",“a bb" * 20_000),
        ('id,prompt\n1,"q"{}\n', ',a"b c' * 5_000, ',a"b c' * 20_000),
        ('id,prompt\n1,"q",“a{}\n', ",”x «b»" * 5_000, ",”x «b»" * 20_000),
    ],
    ids=["apostrophes", "quotes", "other quotes", "opened", "cut", "closed"],
)
def test_a_row_of_many_marks_is_read_in_time_of_its_length(
    tmp_path: Path, shape: str, few: str, many: str
) -> None:
    """Four times as many take about four times as long, never sixteen times."""

    def seconds(marks: str) -> float:
        path = table(tmp_path, shape.format(marks))
        begin = time.process_time()
        with suppress(ManifestError):
            read(path)
        return time.process_time() - begin

    assert seconds(many) < 8 * max(seconds(few), 0.05)


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
