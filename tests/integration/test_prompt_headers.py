"""Which column has the prompts, where several headers speak of one, or one only counts them."""

from pathlib import Path

import pytest

from batchsora.manifest.read import ManifestError, Reading, open_manifest
from batchsora.providers.registry import kind_of
from jobs.model.spec import SpecRow


def table(folder: Path, text: str) -> Path:
    path = folder / "t.csv"
    path.write_text(text, encoding="utf-8")
    return path


def read(path: Path, columns: dict[str, str] | None = None) -> tuple[list[str], tuple[str, ...]]:
    """Give the prompts of a table, and the headers that stop a run."""
    manifest = open_manifest(path, reading=Reading(columns=columns or {}))
    rows = list(manifest.spec_rows(lambda request: kind_of(request).key))
    prompts = [row.prompt for row in rows if isinstance(row, SpecRow)]
    return prompts, manifest.suspicious_columns


@pytest.mark.parametrize(
    "header",
    ["Prompt #", "Prompt?", "Prompt (number)", "Prompt [No.]", "Prompt (ID)", "Prompts №"],
)
@pytest.mark.parametrize("other", ["Video idea", "Text", "Description", "Video prompt", "Scene"])
def test_the_number_of_a_prompt_is_none(tmp_path: Path, header: str, other: str) -> None:
    """The other column has the prompts."""
    prompts, _ = read(table(tmp_path, f"{header},{other}\n1,A kite\n2,A boat\n"))
    assert prompts == ["A kite", "A boat"]


@pytest.mark.parametrize("header", ["Prompt #", "Prompt?", "Prompt (number)"])
def test_where_there_is_no_other_one_a_person_says_it(tmp_path: Path, header: str) -> None:
    path = table(tmp_path, f"{header},Owner\nA kite,Ann\n")
    with pytest.raises(ManifestError, match="there is no column 'prompt'") as error:
        open_manifest(path)
    assert f"--map '{header}=prompt'" in str(error.value)
    assert "misspelling" not in str(error.value)
    assert read(path, {header: "prompt"}) == (["A kite"], ())


@pytest.mark.parametrize(
    "header",
    ["Final prompt", "Prompt v2", "Prompt (final)", "Video prompt", "prompts", "English_prompt",
     "promptText"],
)  # fmt: skip
def test_a_second_prompt_stops_a_run(tmp_path: Path, header: str) -> None:
    """One of them is a draft, and both would cost the same."""
    path = table(tmp_path, f"Prompt,{header}\nkite,A red kite over hills\n")
    assert read(path)[1] == (header,)
    assert read(path, {header: "prompt"}) == (["A red kite over hills"], ())
    assert read(path, {header: ""}) == (["kite"], ())
    assert read(path, {"Prompt": "prompt"}) == (["kite"], ())


@pytest.mark.parametrize(
    "header",
    ["Prompt #", "Prompt No.", "Prompt ID", "prompt_id", "Prompt (old)",
     "Prompt length", "Prompt notes", "Prompt?", "Prompter"],
)  # fmt: skip
def test_what_tells_something_of_a_prompt_is_none(tmp_path: Path, header: str) -> None:
    path = table(tmp_path, f"Prompt,{header}\nA kite,4\n")
    assert read(path) == (["A kite"], ())


@pytest.mark.parametrize(
    "numbers", [["1", "2"], ["#1", "#2"], ["1.", "2."], ["1.1", "1.2"], ["1a", "1b"], ["7"]]
)
@pytest.mark.parametrize("header", ["Scene", "Prompt", "Idea"])
def test_prompts_that_are_all_numbers_stop_a_run(
    tmp_path: Path, header: str, numbers: list[str]
) -> None:
    """``Scene`` numbers the shots, and what is seen stands in a column of another name."""
    rows = "".join(f"x,{number},A kite\n" for number in numbers)
    path = table(tmp_path, f"Owner,{header},Visual description\n{rows}")
    assert read(path)[1] == (header,)
    manifest = open_manifest(path)
    list(manifest.spec_rows(lambda request: kind_of(request).key))
    (told,) = manifest.lookalikes
    assert "only numbers" in told.problem
    assert f"--map '{header}=prompt'" in told.remedy
    assert read(path, {header: "prompt"})[1] == ()
    prompts, asked = read(path, {"Visual description": "prompt", header: ""})
    assert (set(prompts), asked) == ({"A kite"}, ())


def test_a_prompt_that_is_a_number_among_others_is_one(tmp_path: Path) -> None:
    assert read(table(tmp_path, "Scene\n1984\nA kite\n")) == (["1984", "A kite"], ())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("m.yaml", 'jobs:\n  - "1984"\n'),
        ("m.json", '[{"prompt": "1984"}]'),
        ("m.jsonl", '{"prompt": "1984"}\n'),
    ],
)
def test_a_job_that_calls_its_own_prompt_so_may_be_a_number(
    tmp_path: Path, name: str, text: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert read(path) == (["1984"], ())
