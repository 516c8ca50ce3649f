"""An error that many rows have is said once, and names the rows; a column may be a person's own."""

from pathlib import Path

import pytest

from batchsora.manifest.errors import RowProblem
from batchsora.presentation.problems import MOST_ALIKE, told
from tests.support.shell import Shell

PROMPT = "A kite over the bay at dawn"


def table(header: str, cell: str, rows: int = 40) -> None:
    lines = [f"prompt,{header}", *(f"{PROMPT} {n},{cell}" for n in range(rows))]
    Path("m.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize("command", ["plan", "run --yes --sandbox"])
@pytest.mark.parametrize(
    ("header", "cell"),
    [
        ("Seed", "17"),
        ("Negative prompt", "rain"),
        ("param.cfg_scale", "0.5"),
        ("End frame", "https://example.com/a.png"),
        ("reference_image_1", "https://example.com/a.png"),
    ],
)
def test_a_column_of_a_persons_own_is_said_once(
    call: Shell, command: str, header: str, cell: str
) -> None:
    """With the option that keeps it, which works as typed."""
    table(header, cell)
    first, *options = command.split()
    said = call(first, "m.csv", *options)
    assert said.code == 2
    assert said.words.count("sora takes no ") == 1
    assert "The same in 39 more rows (3-41)." in said.words
    assert f"--map '{header}='" in said.words
    assert call("plan", "m.csv", "--map", f"{header}=").code == 0


def test_skipped_rows_are_said_once_too(call: Shell) -> None:
    table("model,Seed", "sora,17")
    with Path("m.csv").open("a", encoding="utf-8") as file:
        file.write(f"{PROMPT},veo_3_fast,17\n")
    said = call("run", "m.csv", "--sandbox", "--skip-invalid", "--rate", "0", "--no-download")
    assert said.words.count("sora takes no seed") == 1


def test_a_script_gets_every_row(call: Shell) -> None:
    table("Seed", "17")
    assert len(call("plan", "m.csv", "--json").json["invalid"]) == 40


def test_a_few_are_said_one_by_one() -> None:
    """Each shows what its own cell says."""
    few = [RowProblem("m.csv", "bad", "Fix.", row, "seed", str(row)) for row in range(MOST_ALIKE)]
    assert told(few) == [str(one) for one in few]
    other = RowProblem("m.csv", "worse", "Fix.", 3, "seed")
    many = [*few, other, RowProblem("m.csv", "bad", "Fix.", 99, "seed", "x")]
    more = f"{few[0]} The same in {MOST_ALIKE} more rows (1-{MOST_ALIKE - 1}, 99)."
    assert told(many) == [more, str(other)]
