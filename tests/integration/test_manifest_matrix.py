"""``matrix`` in YAML and JSON, and defaults of campaigns, from real files."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchsora.manifest.formats.matrix import MOST_EXPANDED
from batchsora.manifest.read import (
    MOST_JOBS,
    Manifest,
    ManifestError,
    RowProblem,
    open_manifest,
)
from batchsora.tables import write_table
from jobs.model.spec import JobSpec


def manifest(folder: Path, content: str, name: str = "night.yaml") -> Manifest:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return open_manifest(path)


def jobs(manifest: Manifest) -> list[JobSpec]:
    found = list(manifest.rows())
    assert all(isinstance(item, JobSpec) for item in found), found
    return [item for item in found if isinstance(item, JobSpec)]


def keys(folder: Path, content: str) -> list[str]:
    return [job.key for job in jobs(manifest(folder, content))]


def refusal(folder: Path, content: str) -> RowProblem:
    with pytest.raises(ManifestError) as caught:
        list(manifest(folder, content).rows())
    assert caught.value.problem.remedy
    assert len(str(caught.value)) < 1000
    return caught.value.problem


TRIP = """\
jobs:
- {id: intro, prompt: Hello, title: First}
matrix:
- id: trip
  prompt: "{city} in { season }, {{really}}"
  image: https://example.com/{season}.png
  duration: 15
  title: To {city}
  tags: [{"{city}": 1}]
  values:
    city: [Lisbon, São Paulo]
    season: [summer, 007]
"""


def test_every_combination_is_a_job(tmp_path: Path) -> None:
    """As if it had been written as one: all texts are filled in, values are columns."""
    found = manifest(tmp_path, TRIP)
    assert found.columns == (
        ("id", "prompt", "title", "image", "duration", "tags", "city", "season")
    )
    intro, *trips = jobs(found)
    assert (intro.key, intro.row, intro.cells["city"]) == ("intro", 2, "")
    assert [job.key for job in trips] == [
        "trip-lisbon-summer",
        "trip-lisbon-007",
        "trip-são-paulo-summer",
        "trip-são-paulo-007",
    ]
    assert {job.row for job in trips} == {4}
    last = trips[1]
    assert last.request.prompt == "Lisbon in 007, {really}"
    assert last.request.duration == 15
    assert last.request.image is not None
    assert last.request.image.source == "https://example.com/007.png"
    assert last.cells == {
        "id": "trip-lisbon-007",
        "prompt": "Lisbon in 007, {really}",
        "title": "To Lisbon",
        "image": "https://example.com/007.png",
        "duration": "15",
        "tags": '[{"{city}": 1}]',
        "city": "Lisbon",
        "season": "007",
    }
    assert jobs(found) == [intro, *trips]


def test_json_has_it_too(tmp_path: Path) -> None:
    """The same manifest in JSON means the same videos."""
    entry = {"prompt": "A {animal}", "values": {"animal": ["fox", 7]}, "count": 2}
    text = json.dumps({"matrix": entry})
    found = jobs(manifest(tmp_path, text, "night.json"))
    assert [job.key for job in found] == ["fox", "fox#2", "7", "7#2"]
    assert found == jobs(manifest(tmp_path, text))


def test_a_table_is_a_job_each(tmp_path: Path) -> None:
    """Values that belong together are not multiplied; an id names those that it likes to."""
    values = "values: [{city: Oslo, nr: 1}, {nr: 2, city: Rome}]"
    text = f'matrix: {{id: "shot {{nr}}", prompt: "{{city}}", {values}}}'
    found = jobs(manifest(tmp_path, text))
    assert [(job.key, job.request.prompt) for job in found] == [
        ("shot 1", "Oslo"),
        ("shot 2", "Rome"),
    ]
    assert keys(tmp_path, f'matrix: {{prompt: "{{city}} {{nr}}", {values}}}') == [
        "oslo-1",
        "rome-2",
    ]
    named = "values: [{city: Oslo, id: a}, {city: Rome, id: b}]"
    assert keys(tmp_path, f'matrix: {{prompt: "{{city}}", {named}}}') == ["a", "b"]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ('prompt: "{a}{b}", values: {a: [X, Y], b: [1]}', ["x-1", "y-1"]),
        ('id: t, prompt: "{a}{b}", values: {a: [X, Y], b: [1]}', ["t-x-1", "t-y-1"]),
        ('id: "{b}/{a}", prompt: "{a}{b}", values: {a: [X, Y], b: [1]}', ["1/X", "1/Y"]),
        ('id: "t-{b}", prompt: "{a}{b}", values: {a: [X, Y], b: [1]}', ["t-1-x", "t-1-y"]),
        (
            'prompt: "{a}", values: {a: [New  York, "o\'clock, 5", हिन्दी, ÅNGSTRÖM, x²]}',
            ["new-york", "o-clock-5", "हिन्दी", "ångström", "x2"],
        ),
    ],
)
def test_keys_are_made_from_values(tmp_path: Path, entry: str, expected: list[str]) -> None:
    """Readable in every script; a base stands before them, a whole template takes their place."""
    assert keys(tmp_path, f"matrix: {{{entry}}}") == expected


def test_keys_that_lose_something_have_a_hash(tmp_path: Path) -> None:
    """Signs that no key has are told apart, long ones are cut; the hash never changes."""
    text = 'matrix: {{prompt: "{{a}}", values: {{a: [{}]}}}}'
    assert keys(tmp_path, text.format("C, C++, C#, -5, 5, 🌊")) == [
        "c", "c-b7pu5zhq", "c-zbrrna5r", "5-qufaggxs", "5", "5xuiovfv",
    ]  # fmt: skip
    long, longer = keys(tmp_path, text.format(f"{'word ' * 30}x, {'word ' * 30}y"))
    assert long[:-8] == longer[:-8] == "word-" * 14 + "w-"
    assert long != longer
    # These differ in what a key leaves out: the first keeps the plain one.
    first, *others = keys(tmp_path, text.format("new york, New York, new-york"))
    assert first == "new-york"
    assert len({first, *others}) == 3
    assert all(other.startswith("new-york-") for other in others)


def test_combinations_that_read_alike_are_told_apart(tmp_path: Path) -> None:
    """Where one value ends and the next begins is not to be seen in a key."""
    text = 'matrix: {prompt: "{a} {b}", values: {a: [new, new york], b: [york city, city]}}'
    first, second, third, fourth = keys(tmp_path, text)
    assert (first, second, third) == ("new-york-city", "new-city", "new-york-york-city")
    assert fourth.startswith("new-york-city-")


def test_entries_are_told_apart(tmp_path: Path) -> None:
    """From the second entry of the same id on, keys begin with its number; whatever the values."""
    entry = '{{{}prompt: "{{a}}{}", values: {{a: [{}]}}}}'
    text = "matrix:\n" + "\n".join(
        f"- {entry.format(*parts)}"
        for parts in [("", 1, "x"), ("id: t, ", 2, "x"), ("", 3, "y"), ("id: t, ", 4, "x")]
    )
    assert keys(tmp_path, text) == ["x", "t-x", "m2-y", "m2-t-x"]


VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6) | st.text(
    "aAbB -+1", max_size=3
)


@settings(max_examples=25)  # each is read in processes apart; make fuzz goes further
@given(first=st.lists(VALUES, min_size=1, max_size=5, unique=True), second=st.lists(
    VALUES, min_size=1, max_size=3, unique=True))  # fmt: skip
def test_no_two_jobs_have_one_key(
    tmp_path_factory: pytest.TempPathFactory, first: list[str], second: list[str]
) -> None:
    """Whatever the values are, each combination is a video of its own."""
    entry = {"prompt": "x{a}{b}x", "values": {"a": first, "b": second}}
    path = tmp_path_factory.mktemp("any") / "m.json"
    path.write_text(json.dumps({"matrix": entry}))
    found = [item for item in open_manifest(path).rows() if isinstance(item, JobSpec)]
    faults = [item for item in open_manifest(path).rows() if isinstance(item, RowProblem)]
    assert len({job.key for job in found}) == len(found)
    assert not any("already" in fault.problem for fault in faults)
    assert len(found) + len({id(fault) for fault in faults}) >= len(first) * len(second)


@settings(max_examples=25)
@given(
    values=st.lists(st.text("abC+# .", min_size=1, max_size=4).filter(str.strip), min_size=2,
                    max_size=6, unique_by=lambda text: text.strip(" .").casefold()),
    place=st.integers(0, 5),
)  # fmt: skip
def test_adding_a_value_changes_no_other_key(
    tmp_path_factory: pytest.TempPathFactory, values: list[str], place: int
) -> None:
    """Wherever it is added, only its own videos are new."""
    *old, new = values
    if any(
        one.casefold().replace(".", " ").split() == new.casefold().replace(".", " ").split()
        for one in old
    ):
        return  # the two differ in nothing that a key has: the order decides
    more = [*old]
    more.insert(place, new)
    folder = tmp_path_factory.mktemp("any")
    found = []
    for chosen in (old, more):
        entry = {"prompt": "{a} {b}", "values": {"a": chosen, "b": ["x", "y"]}}
        (folder / "m.json").write_text(json.dumps({"matrix": entry}))
        found.append({job.key: job.request for job in jobs(open_manifest(folder / "m.json"))})
    before, after = found
    assert len(before) == 2 * len(old)
    assert before.items() <= after.items()
    assert len(after) == len(before) + 2


def test_a_name_of_ours_is_our_column(tmp_path: Path) -> None:
    """A duration may vary; a synonym beside the proper name is somebody's own, as everywhere."""
    text = """\
matrix:
  prompt: A portrait of {name}
  values: {name: [Anna, Bo], seconds: [10, 15]}
"""
    found = manifest(tmp_path, text)
    assert found.columns == ("id", "prompt", "name", "seconds")
    assert [(job.key, job.request.duration, job.cells["name"]) for job in jobs(found)] == [
        ("anna-10", 10, "Anna"),
        ("anna-15", 15, "Anna"),
        ("bo-10", 10, "Bo"),
        ("bo-15", 15, "Bo"),
    ]


def test_an_export_of_expanded_jobs_loads_again(tmp_path: Path) -> None:
    """It has everything written out, and buys nothing."""
    first = manifest(tmp_path, TRIP)
    for suffix in (".csv", ".json", ".jsonl"):
        target = tmp_path / f"out{suffix}"
        write_table(target, first.columns, (job.cells for job in jobs(first)))
        again = jobs(open_manifest(target))
        assert [(job.key, job.request, job.cells) for job in again] == [
            (job.key, job.request, job.cells) for job in jobs(first)
        ]


def test_a_fault_of_expanded_jobs_is_told_with_the_entrys_line(tmp_path: Path) -> None:
    """Only the combinations that are at fault are."""
    text = 'jobs: [A]\nmatrix:\n- {prompt: "{a}", duration: "{d}", values: {a: [x], d: [10, 12]}}'
    _, good, bad = manifest(tmp_path, text).rows()
    assert isinstance(good, JobSpec)
    assert isinstance(bad, RowProblem)
    assert (bad.row, bad.column, bad.found) == (3, "duration", "12")


def test_nothing_of_a_value_is_run(tmp_path: Path) -> None:
    """A template reaches no attribute and no index, and values are not templates."""
    text = 'matrix: {prompt: "{a}", values: {a: ["{a}", "{0.__class__}", "%s"]}}'
    assert [job.request.prompt for job in jobs(manifest(tmp_path, text))] == [
        "{a}", "{0.__class__}", "%s",
    ]  # fmt: skip


VALUED = "values: {a: [x]}"


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("5", "must be a mapping, or a list"),
        ("[5]", "must be a mapping, or a list"),
        ('{prompt: "{a}"}', "has no values"),
        ('{prompt: "{a}", values: {}}', "has no values"),
        ('{prompt: "{a}", values: []}', "has no values"),
        ('{prompt: "{a}", values: [x]}', "list of mappings"),
        ('{prompt: "{a}", values: [{}]}', "list of mappings"),
        ('{prompt: "{a}", values: [{a: x}, {a: y, b: z}]}', "same names"),
        ('{prompt: "{a}", values: [{a: x}, {b: y}]}', "same names"),
        ('{prompt: "{a}", values: [{a: x}, {a: x}]}', "duplicate"),
        ('{prompt: "{a}", values: {a: []}}', "not a list of values"),
        ('{prompt: "{a}", values: {a: x}}', "not a list of values"),
        ('{prompt: "{a}", values: {a: [x, [y]]}}', "single value"),
        ('{prompt: "{a}", values: {a: [x, ~]}}', "a value is missing"),
        ('{prompt: "{a}", values: {a: [1, "1"]}}', "duplicate"),
        ('{prompt: "{a}", values: {" ": [1]}}', "not a valid name"),
        ('{prompt: "{a}", values: {"a}": [1]}}', "braces"),
        ("{prompt: A, %s}", "'a' are used nowhere"),
        ('{prompt: "{{a}}", %s}', "'a' are used nowhere"),
        ('{prompt: "{b}", %s}', "{b} has no value"),
        ('{prompt: "{a", %s}', "never closed"),
        ('{prompt: "a}", %s}', "has no { before it"),
        ('{prompt: "{}", %s}', "{} has no value"),
        ('{prompt: "{a.__class__}", %s}', "has no value"),
        ('{prompt: "{a!r}", %s}', "has no value"),
        ('{prompt: "{a[0]}", %s}', "has no value"),
        ('{title: "{a}", %s}', "no prompt"),
        ('{prompt: "{a}", text: B, Prompt: C, %s}', "means the same"),
        ('{prompt: ["{a}"], %s}', "single value"),
        ('{prompt: "{a}", values: {a: [x], length: [10], seconds: [15]}}', "means the same"),
        ('{prompt: "{a}' + "{{" * 6000 + '", %s}', "braces"),
        ('{prompt: "{a}", x: [' + "1," * 10_001 + "], %s}", "too large to be copied"),
        ('{prompt: "{a}", values: {' + ",".join(f"n{n}: [1]" for n in range(1001)) + "}}", "names"),
    ],
)
def test_a_matrix_that_means_nothing_is_refused(tmp_path: Path, entry: str, says: str) -> None:
    """Nothing of such a file is used; the message says where and why."""
    found = refusal(tmp_path, f"jobs: [A]\nmatrix:\n  {entry.replace('%s', VALUED)}\n")
    assert says in found.problem
    assert found.row == 3


@pytest.mark.parametrize("nothing", ["matrix:", "matrix: []", "matrix: [~]", "matrix: {}"])
def test_an_empty_matrix_is_none(tmp_path: Path, nothing: str) -> None:
    """Beside jobs it does nothing, alone it is no manifest."""
    assert len(keys(tmp_path, f"jobs: [A]\n{nothing}\n")) == 1
    assert "no jobs" in refusal(tmp_path, f"{nothing}\n").problem
    assert (
        "no jobs" in refusal(tmp_path, 'matrix: {prompt: "{a}", values: {a: [x]}}\njobs: 5').problem
    )


def test_jobs_are_counted_before_they_are_made(tmp_path: Path) -> None:
    """A few aliases are a million million combinations."""
    assert MOST_EXPANDED == MOST_JOBS
    names = "abcdef"
    lists = ", ".join(f"{name}: *x" for name in names)
    prompt = "".join(f"{{{name}}}" for name in names)
    matrix = f'matrix: {{prompt: "{prompt}", values: {{{lists}}}}}'
    text = f"defaults: {{x: &x {list(range(100))}}}\n{matrix}"
    found = refusal(tmp_path, text)
    assert "more than 2000000 videos" in found.problem
    assert found.row == 2


@pytest.mark.parametrize(
    ("prompt", "value", "times"), [("{a}" * 3000, "x" * 100_000, 1), ("{a}", "x" * 100_000, 50_000)]
)
def test_characters_are_counted_before_they_are_made(
    tmp_path: Path, prompt: str, value: str, times: int
) -> None:
    """A place that stands often, or a long value for many jobs, fills no memory and no disk."""
    entry = {"prompt": prompt + "{b}", "values": {"a": [value], "b": list(range(times))}}
    assert "too large" in refusal(tmp_path, json.dumps({"matrix": entry})).problem


CAMPAIGNS = """\
defaults: {duration: 10, campaign: spring, note: all, image: 'https://example.com/all.png'}
campaigns:
  " spring ": {budget: 5.00, defaults: {duration: 15, image_url: 'https://example.com/s.png'}}
  autumn: {defaults: {orientation: 16:9, note: leaves}}
jobs:
- A
- {prompt: B, campaign: " autumn "}
- {prompt: C, duration: 10, image: 'https://example.com/own.png'}
- {prompt: D, campaign: ~}
matrix:
  prompt: E {x}
  campaign: "{x}"
  values: {x: [spring, autumn]}
"""


def test_campaigns_have_defaults(tmp_path: Path) -> None:
    """They lie between the general ones and what a job says, expanded or not."""
    found = manifest(tmp_path, CAMPAIGNS)
    assert set(found.campaign_budgets) == {"spring"}
    said = [
        (
            job.campaign,
            job.request.duration,
            job.request.orientation,
            job.request.image and job.request.image.source.removeprefix("https://example.com/"),
            job.cells["note"],
        )
        for job in jobs(found)
    ]
    assert said == [
        ("spring", 15, "9:16", "s.png", "all"),
        ("autumn", 10, "16:9", "all.png", "leaves"),
        ("spring", 10, "9:16", "own.png", "all"),
        (None, 10, "9:16", "all.png", "all"),
        ("spring", 15, "9:16", "s.png", "all"),
        ("autumn", 10, "16:9", "all.png", "leaves"),
    ]


@pytest.mark.parametrize(
    ("campaign", "says"),
    [
        ("x: {defaults: [5]}", "'campaigns.x.defaults' is a mapping"),
        ("x: {defaults: {id: 5}}", "an id can't be the same"),
        ("x: {defaults: {campaign: y}}", "already have one"),
        ("x: {defaults: {duration: [5]}}", "single value"),
        ("x: {defaults: {text: a, Text: b}}", "twice"),
        ("x: {default: {}}", "a campaign can only have a budget and defaults"),
        ("x: {budget: 1}, ' x': {budget: 2}", "duplicate campaign 'x'"),
    ],
)
def test_defaults_of_a_campaign_are_checked(tmp_path: Path, campaign: str, says: str) -> None:
    """As the general ones are, with the line."""
    found = refusal(tmp_path, f"jobs: [A]\ncampaigns: {{{campaign}}}\n")
    assert says in found.problem
    assert found.row == 2
