"""YAML as people write it: signs that begin comments, and keys that only hold anchors."""

from pathlib import Path

import pytest

from batchsora.manifest.errors import ManifestError, RowProblem
from batchsora.manifest.read import open_manifest
from jobs.model.spec import JobSpec


def read(folder: Path, text: str) -> list[JobSpec | RowProblem]:
    path = folder / "m.yaml"
    path.write_text(text, encoding="utf-8")
    return list(open_manifest(path).rows())


@pytest.mark.parametrize(
    "text",
    [
        "jobs:\n  - prompt: Photo #3 of a kite\n",
        "jobs:\n  - prompt: Scene 4 # a comment\n",
        "- Photo #3 of a kite\n",
        "jobs:\n  - prompt: Photo of\n      the kite\t#3 over the sea\n",
        "jobs:\n  - prompt: é ü \U0001fa81 kite #3\n    duration: 15\n",
        "- {prompt: Photo #3\n  }\n",
        "- &a Photo #3\n",
        "jobs:\n  - text: Photo #3\n",
    ],
)
def test_a_prompt_that_a_comment_cuts_is_an_error(tmp_path: Path, text: str) -> None:
    """A half of it would be bought; the error says to quote it."""
    (problem,) = read(tmp_path, text)
    assert isinstance(problem, RowProblem)
    assert "a # after a space begins a comment" in problem.problem
    assert "in quotes" in problem.remedy
    assert problem.found is not None
    assert "#" not in problem.found


@pytest.mark.parametrize(
    "text",
    [
        "defaults:\n  prompt: Photo #3\njobs:\n  - id: a\n",
        "matrix:\n  id: a\n  prompt: Photo #{n}\n  values: {n: [1, 2]}\n",
        "matrix:\n  id: a\n  prompt: A {n}\n  values:\n    n:\n      - kite #3\n      - b\n",
        "matrix:\n  id: a\n  prompt: A {n}\n  values:\n    - n: kite #3\n    - n: b\n",
    ],
)
def test_so_is_what_stands_in_many_prompts(tmp_path: Path, text: str) -> None:
    """It refuses the file."""
    with pytest.raises(ManifestError, match="begins a comment"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ('- prompt: "Photo #3 of a kite" # mine\n', "Photo #3 of a kite"),
        ("- 'Photo #3' # mine\n", "Photo #3"),
        ("- prompt: Photo#3\n  duration: 10 # seconds\n  note: x # y\n", "Photo#3"),
        ("- prompt: |\n    Photo #3\n    of a kite\n", "Photo #3\nof a kite"),
        ("- prompt: >-\n    Photo #3\n    of a kite\n", "Photo #3 of a kite"),
        ("# mine\n- prompt: A kite\n  # and this\n", "A kite"),
    ],
)
def test_other_comments_are_comments(tmp_path: Path, text: str, prompt: str) -> None:
    """On lines of their own, behind quotes, and behind what is no prompt."""
    (job,) = read(tmp_path, text)
    assert isinstance(job, JobSpec)
    assert job.request.prompt == prompt


def test_a_key_that_only_holds_anchors_is_left_alone(tmp_path: Path) -> None:
    """As compose files have them; the message about others says so."""
    text = "x-base: &base\n  duration: 15\n  note: x\njobs:\n  - <<: *base\n    prompt: A kite\n"
    (job,) = read(tmp_path, text)
    assert isinstance(job, JobSpec)
    assert job.request.duration == 15
    with pytest.raises(ManifestError, match="holds anchors, call x-"):
        read(tmp_path, text.replace("x-base", "zzz"))
