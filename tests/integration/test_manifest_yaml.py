"""YAML manifests, from real files."""

from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from batchsora.manifest.formats import tree
from batchsora.manifest.read import Manifest, ManifestError, RowProblem, open_manifest
from jobs.model.spec import JobSpec


def manifest(folder: Path, content: str | bytes) -> Manifest:
    path = folder / "night.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return open_manifest(path)


def jobs(manifest: Manifest) -> list[JobSpec]:
    found = list(manifest.rows())
    assert all(isinstance(item, JobSpec) for item in found), found
    return [item for item in found if isinstance(item, JobSpec)]


def refusal(folder: Path, content: str | bytes) -> RowProblem:
    with pytest.raises(ManifestError) as caught:
        list(manifest(folder, content).rows())
    assert caught.value.problem.remedy
    return caught.value.problem


FULL = """\
# tonight
batch: autumn
budget: 12.50
campaigns:
  spring: {budget: 3.10}
  summer: {}
defaults:
  duration: 15
  campaign: spring
jobs:
  - id: 007
    prompt: A fox
    orientation: 16:9
    title: no
  - A cat

  - Text: |
      A dog: it runs
      # quickly
    orientation: 9:16
    duration: 10 s
    campaign:
    tags: [a, 1, true, ~, {b: 1e3}]
    title: 2024-05-01
"""


def test_a_manifest_with_everything(tmp_path: Path) -> None:
    """Settings, defaults, jobs and prompts alone are read; all texts stay as written."""
    found = manifest(tmp_path, FULL)
    assert found.name == "autumn"
    assert found.budget == Decimal("12.50")
    assert str(found.budget) == "12.50"
    assert found.campaign_budgets == {"spring": Decimal("3.10")}
    assert found.columns == (
        ("id", "prompt", "orientation", "title", "duration", "campaign", "tags")
    )
    fox, cat, dog = jobs(found)
    assert (fox.key, fox.row, fox.campaign) == ("007", 11, "spring")
    assert (fox.request.orientation, fox.request.duration) == ("16:9", 15)
    assert fox.cells["title"] == "no"
    assert fox.cells["duration"] == "15"
    assert (cat.request.prompt, cat.row, cat.key_from_content) == ("A cat", 15, True)
    assert (dog.request.prompt, dog.row) == ("A dog: it runs\n# quickly", 17)
    assert (dog.request.orientation, dog.request.duration, dog.campaign) == ("9:16", 10, None)
    assert dog.cells["tags"] == '["a", 1, true, null, {"b": 1e3}]'
    assert dog.cells["title"] == "2024-05-01"
    assert jobs(found) == [fox, cat, dog]


@pytest.mark.parametrize("text", ["16:9", "'16:9'", '"16:9"', "!!str 16:9", "landscape", "16:09"])
def test_the_orientation_is_never_lost(tmp_path: Path, text: str) -> None:
    """An unquoted 16:9 is 969 to YAML 1.1; here it is what the person wrote."""
    assert yaml.safe_load("16:9") == 969
    (job,) = jobs(manifest(tmp_path, f"- {{prompt: A, orientation: {text}}}"))
    assert job.request.orientation == "16:9"


@pytest.mark.parametrize(
    "text", ["007", "1e3", "yes", "0x10", "2024-05-01", "1_000", ".5", "12:30:45"]
)
def test_ids_stay_as_written(tmp_path: Path, text: str) -> None:
    """YAML's own idea of a value never changes an id."""
    (job,) = jobs(manifest(tmp_path, f"jobs:\n- id: {text}\n  prompt: A\n"))
    assert job.key == text


@pytest.mark.parametrize(
    "content", ["- A\n- B\n", "jobs: [A, B]\n", "jobs:\n- prompt: A\n- text: B\n"]
)
def test_a_bare_list_will_do(tmp_path: Path, content: str) -> None:
    """A list of prompts is a manifest."""
    found = manifest(tmp_path, content)
    assert [job.request.prompt for job in jobs(found)] == ["A", "B"]
    assert found.columns == ("prompt",)
    assert found.name == "night"


def test_empty_jobs_are_left_out(tmp_path: Path) -> None:
    """A dash without anything behind it is no row."""
    assert [job.request.prompt for job in jobs(manifest(tmp_path, "-\n- A\n- {}\n- ~\n"))] == ["A"]


def test_quoted_nothing_is_a_text(tmp_path: Path) -> None:
    """A campaign may be called null, when it is quoted; a prompt that says it says nothing."""
    text = "- {prompt: A, campaign: 'null'}\n- {prompt: null, id: x}\n- {prompt: 'null', id: y}\n"
    first, second, third = manifest(tmp_path, text).rows()
    assert isinstance(first, JobSpec)
    assert first.campaign == "null"
    assert isinstance(second, RowProblem)
    assert "empty" in second.problem
    assert isinstance(third, RowProblem)
    assert "only a placeholder" in third.problem


def test_anchors_and_merge_keys(tmp_path: Path) -> None:
    """What people use to repeat themselves works, own keys first; the row is the job's own."""
    text = """\
defaults: &base {duration: 15, campaign: spring}
jobs:
- &fox {prompt: A fox, <<: *base}
- {<<: [*fox, {title: t}], orientation: 16:9, duration: 10}
- *fox
"""
    first, second, third = jobs(manifest(tmp_path, text))
    assert (first.request.duration, first.row) == (15, 3)
    assert (second.request.prompt, second.request.duration) == ("A fox", 10)
    assert second.cells["title"] == "t"
    assert (third.key, third.row) == (f"{first.key}#2", 5)


def test_a_jobs_own_image_takes_the_place_of_the_default(tmp_path: Path) -> None:
    """Whichever way it is given; and an empty one means none."""
    text = """\
defaults: {image: 'https://example.com/a.png'}
jobs:
- A
- {prompt: B, image_url: 'https://example.com/b.png'}
- {prompt: C, image: ~}
"""
    images = [job.request.image for job in jobs(manifest(tmp_path, text))]
    assert [image and image.source for image in images] == [
        "https://example.com/a.png",
        "https://example.com/b.png",
        None,
    ]


def test_a_synonym_beside_the_proper_name(tmp_path: Path) -> None:
    """As in CSV: ``name`` is the id of a job without ``id``, and else somebody's own."""
    text = "- {id: a, prompt: A, name: Anna}\n- {name: b, prompt: B}\n"
    found = manifest(tmp_path, text)
    assert found.columns == ("id", "prompt", "name")
    first, second = jobs(found)
    assert (first.key, first.cells["name"]) == ("a", "Anna")
    assert (second.key, second.cells["name"]) == ("b", "")


def test_the_same_the_other_way_round(tmp_path: Path) -> None:
    """The columns don't clash when the synonym comes first."""
    found = manifest(tmp_path, "- {name: b, prompt: B}\n- {id: a, prompt: A, name: Anna}\n")
    assert found.columns == ("id", "prompt", "name")
    assert [job.key for job in jobs(found)] == ["b", "a"]


@pytest.mark.parametrize(
    ("job", "column", "says"),
    [
        ("{prompt: [a, b]}", "prompt", "single value"),
        ("{prompt: A, Prompt: B}", "Prompt", "means the same as 'prompt'"),
        ("[a, b]", None, "not a list"),
        ("{prompt: A, duration: 12}", "duration", "unsupported duration"),
        ("{title: A}", "prompt", "empty"),
        ("{prompt: A, orientation: 969}", "orientation", "turned 16:9"),
        ("1984", None, "bare number"),
        ("007", None, "bare number"),
        (".5", None, "bare number"),
        ("0x1F", None, "bare number"),
        ("True", None, "bare number"),
    ],
)
def test_a_faulty_job_is_named_by_its_line(
    tmp_path: Path, job: str, column: str | None, says: str
) -> None:
    """One bad job is told with its line and key; the others are fine."""
    good, bad, last = manifest(tmp_path, f"jobs:\n- prompt: fine\n- {job}\n- also fine\n").rows()
    assert isinstance(good, JobSpec)
    assert isinstance(last, JobSpec)
    assert isinstance(bad, RowProblem)
    assert (bad.row, bad.column) == (3, column)
    assert says in bad.problem


@pytest.mark.parametrize(
    ("content", "says", "row"),
    [
        ("", "empty", None),
        ("# nothing\n", "empty", None),
        ("just a text\n", "not a list of jobs", 1),
        ("jobs:\n", "no jobs", 1),
        ("jobs: []\n", "no jobs", 1),
        ("jobs: [~]\n", "no column 'prompt'", None),
        ("- title: x\n", "no column 'prompt'", None),
        ("batch: x\n", "no jobs", 1),
        ("jobs: [A]\nbuget: 5\n", "'buget' means nothing", 2),
        ("jobs: [A]\nbudget: -5\n", "not a valid amount of money", 2),
        ("jobs: [A]\nbudget: [5]\n", "single value", 2),
        ("jobs: [A]\nbudget: {}\n", "single value", 2),
        ("jobs: [A]\nbatch: [x]\n", "single value", 2),
        ('jobs: [A]\nbatch: "a\\nb"\n', "line break", None),
        ("jobs: [A]\ncampaigns: [x]\n", "a campaign can only have a budget", 2),
        ("jobs: [A]\ncampaigns: {x: 5}\n", "a campaign can only have a budget", 2),
        ("jobs: [A]\ncampaigns: {x: {bugdet: 5}}\n", "a campaign can only have a budget", 2),
        ("jobs: [A]\ncampaigns: {x: {budget: 1e3}}\n", "not a valid amount of money", 2),
        ("jobs: [A]\ndefaults: [x]\n", "'defaults' is a mapping", 2),
        ("jobs: [A]\ndefaults: {id: x}\n", "an id can't be the same", 2),
        ("jobs: [A]\ndefaults: {text: x, Text: y}\n", "twice", 2),
        ("jobs: [A]\ndefaults: {duration: [10]}\n", "single value", 2),
        ("jobs:\n- prompt: A\n  prompt: B\n", "duplicate key 'prompt'", 3),
        ("jobs: [A]\njobs: [B]\n", "duplicate key 'jobs'", 2),
        ("jobs: [A]\n---\njobs: [B]\n", "several documents", 2),
        ("jobs:\n- !!python/object/apply:os.system [id]\n", "tag", 2),
        ("jobs:\n- prompt: !secret x\n", "the tag !secret", 2),
        ("jobs:\n- prompt: !!binary aGk=\n", "the tag !!binary", 2),
        ("jobs:\n- *nobody\n", "no anchor", 2),
        ("jobs: &a\n- {prompt: A, all: *a}\n", "no anchor", 2),
        ("jobs:\n- {[a]: b}\n", "key must be a text", 2),
        ("jobs:\n- {<<: x}\n", "needs a mapping", 2),
        ("jobs:\n- prompt: A: B\n", "not valid YAML", 2),
        ("jobs:\n- prompt: 'A\n", "not valid YAML", 3),
        ("jobs:\n\t- A\n", "not valid YAML", 2),
        ("jobs: [A\x01]\n", "not valid YAML", None),
        ("jobs: [Ä]\n".encode("latin-1"), "not UTF-8", 1),
        ("- " * 60 + "A", "nested too deep", 1),
        ("[" * 50_000, "nested too deep", 1),
    ],
)
def test_a_file_that_can_not_be_trusted_is_refused(
    tmp_path: Path, content: str | bytes, says: str, row: int | None
) -> None:
    """Nothing of such a file is used; the message says where and why."""
    found = refusal(tmp_path, content)
    assert says in found.problem
    assert found.row == row


def test_a_bomb_of_aliases_is_refused(tmp_path: Path) -> None:
    """A few hundred bytes never become a thousand million values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    found = refusal(tmp_path, "jobs:\n- prompt: A\n  " + "\n  ".join(lines))
    assert "more than" in found.problem


def test_aliases_do_not_dig_deeper(tmp_path: Path) -> None:
    """Depth counts through aliases, so that nothing recurses without end."""
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [[[[*a{n - 1}]]]]" for n in range(1, 20)]
    found = refusal(tmp_path, "jobs:\n- prompt: A\n  " + "\n  ".join(lines))
    assert "nested too deep" in found.problem


def test_what_is_carried_is_bounded(tmp_path: Path) -> None:
    """One cell never takes more memory than an export could hold."""
    data = f"data: [{', '.join(['x'] * 10_001)}]"
    bad, good = manifest(tmp_path, f"- {{prompt: A, {data}}}\n- B\n").rows()
    assert isinstance(bad, RowProblem)
    assert (bad.column, bad.row) == ("data", 1)
    assert isinstance(good, JobSpec)
    assert "too large" in refusal(tmp_path, f"jobs: [A]\ndefaults: {{{data}}}\n").problem


def test_a_file_too_large_is_refused(tmp_path: Path) -> None:
    """YAML is held in memory, so that its size has a limit; the remedy names CSV."""
    path = tmp_path / "m.yaml"
    with path.open("wb") as file:
        file.truncate(tree.LARGEST_FILE + 1)
    with pytest.raises(ManifestError, match="CSV"):
        open_manifest(path)


@settings(max_examples=25)  # each is read in processes apart; make fuzz goes further
@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_no_text_crashes_the_reader(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Whatever a file holds, it is read or refused."""
    folder = tmp_path_factory.mktemp("any")
    for content in (text, f"jobs:\n- {text}\n", f"jobs:\n- prompt: {text}\n"):
        try:
            found = list(manifest(folder, content).rows())
        except ManifestError as error:
            assert error.problem.problem  # noqa: PT017 - both outcomes are right; each is judged
        else:
            assert found
