"""Results written into YAML manifests: everything else stays to the byte."""

import io
from collections.abc import Callable, Collection, Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from batchsora.manifest.errors import ManifestError
from batchsora.manifest.formats.yaml_results import write_yaml_results
from batchsora.manifest.formats.yaml_tree import open_yaml
from batchsora.manifest.read import open_manifest
from batchsora.result_columns import RESULT_NAMES
from batchsora.usecases.export_into_manifest import headers_in
from jobs.model.spec import JobSpec

DONE = {"status": "completed", "price": "0.12", "error": "", "attempts": 1}
FAILED = {"status": "failed", "price": "", "error": "no: that's #1", "attempts": 2}


Write = Callable[[str, dict[int, list[dict[str, object]]]], str]


def written(
    path: Path,
    results: dict[int, list[dict[str, object]]],
    keys: Collection[str] = RESULT_NAMES,
) -> str:
    target = io.StringIO(newline="")
    write_yaml_results(path, target, results, keys)
    return target.getvalue()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Give a function that writes results into a manifest of that text."""

    def manifest(text: str, results: dict[int, list[dict[str, object]]]) -> str:
        path = tmp_path / "night.yaml"
        path.write_text(text, encoding="utf-8", newline="")
        return written(path, results)

    return manifest


def jobs(path: Path) -> list[object]:
    """Give what a manifest asks for, without the lines, and without results."""
    return [
        (item.key, item.request, item.campaign, item.priority, own(item.cells))
        if isinstance(item, JobSpec)
        else (item.column, item.found, item.problem)
        for item in open_manifest(path).rows()
    ]


def own(cells: Mapping[str, str]) -> dict[str, str]:
    return {name: cell for name, cell in cells.items() if name not in RESULT_NAMES}


def results_of(path: Path) -> Iterator[dict[str, str]]:
    """Give the results that stand with each job, as our reader sees them."""
    table = open_yaml(path)
    for raw in table.rows():
        cells = zip(table.headers, raw.cells, strict=True)  # type: ignore[union-attr]
        yield {name: cell for name, cell in cells if name in RESULT_NAMES and cell}


MANY = """\
%YAML 1.1
--- # the night
# two  spaces,   kept
batch:   night   # a name
budget: 4.00
campaigns: { a: { budget: 2.00 },  b: {budget: 007.50} }
defaults: {orientation: 16:9}
jobs:
    # first
    - id: "a"   # quoted
      prompt: >
        folded
        text

          deeper
      tags: [ x,  y ]
    # between

    - 'a prompt
      on two lines' # and a comment
    -   plain
       prompt, odd
    - |+
      kept

    - { id: flow , prompt: 'b' }
    -
      id: late
      title:
      prompt: "c \\
         d"
      nested:
        - one
        - two: 3 # inside
      # job's end
# end
"""


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_without_results_nothing_changes(write: Write, ends: str, mark: str) -> None:
    """Not a byte, whatever the line ends."""
    text = mark + MANY.replace("\n", ends)
    assert write(text, {}) == text


def test_samples_stay_as_they_are(project: Path) -> None:
    """The manifests that we hand out, without results and with some."""
    samples = list((project / "sample_manifests").glob("*.yaml"))
    assert samples
    for path in samples:
        text = path.read_text()
        assert written(path, {}) == text
        lines = sorted({item.row for item in open_manifest(path).rows() if item.row})
        keys = headers_in(open_manifest(path)).values()  # a model of one's own is no result
        with_results = written(path, {line: [DONE] for line in lines}, keys)
        rest = [
            line for line in with_results.splitlines() if line.split(":")[0].strip() not in DONE
        ]
        bare = "  - A glass marble"
        before = [line.replace(bare, "  - prompt: A glass marble") for line in text.splitlines()]
        assert rest == before


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_results_stand_behind_the_jobs_own_keys(write: Write, ends: str) -> None:
    """In blocks, in braces, with bare prompts; comments and everything else stay in place."""
    text = MANY.replace("\n", ends)
    found = write(text, {line: [DONE] for line in (10, 19, 21, 23, 26, 28)})
    new = """\
      status: completed
      price: "0.12"
      attempts: 1
"""
    flow = ', status: completed, price: "0.12", attempts: 1'
    want = MANY
    for old, instead in (
        ("      tags: [ x,  y ]\n", "      tags: [ x,  y ]\n" + new),
        (
            "- 'a prompt\n      on two lines' # and a comment\n",
            "- prompt: 'a prompt\n        on two lines' # and a comment\n" + new,
        ),
        (
            "-   plain\n       prompt, odd\n",
            "-   prompt: plain\n           prompt, odd\n" + new.replace("      ", "        "),
        ),
        ("- |+\n      kept\n\n", "- prompt: |+\n        kept\n\n" + new),
        ("'b' }", f"'b'{flow} }}"),
        ("- two: 3 # inside\n", "- two: 3 # inside\n" + new),
    ):
        assert old in want
        want = want.replace(old, instead)
    assert found == want.replace("\n", ends)


def test_several_videos_make_lists(write: Write) -> None:
    """One entry for each video, in order; null where one has nothing."""
    found = write("jobs:\n- {id: a, prompt: b, count: 2}\n", {2: [DONE, FAILED]})
    assert found == (
        "jobs:\n- {id: a, prompt: b, count: 2, status: [completed, failed], "
        'price: ["0.12", null], error: [null, "no: that\'s #1"], attempts: [1, 2]}\n'
    )
    assert yaml.safe_load(found)["jobs"][0]["price"] == ["0.12", None]


def test_results_of_an_earlier_export_are_replaced(write: Write) -> None:
    """Writing again gives the same; a comment behind an old result is kept."""
    text = (
        "jobs:\n"
        "- status: old # why\n"
        "  id: a\n"
        "  prompt: 'b' # words\n"
        "  error: bad # ask Bob\n"
        "  price:\n"
        "  - 1\n"
        "  - 2\n"
        "  title: own\n"
        "- {status: old, id: c, prompt: d, error: bad}\n"
    )
    again = write(text, {2: [DONE], 10: [DONE]})
    assert again == (
        "jobs:\n"
        "-  # why\n"
        "  id: a\n"
        "  prompt: 'b' # words\n"
        "  # ask Bob\n"
        "  title: own\n"
        "  status: completed\n"
        '  price: "0.12"\n'
        "  attempts: 1\n"
        '- {id: c, prompt: d, status: completed, price: "0.12", attempts: 1}\n'
    )
    assert write(again, {3: [DONE], 10: [DONE]}) == again


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{status: x, price: y, id: a, prompt: b}", "{id: a, prompt: b, R}"),
        ("{id: a, status: x, prompt: b}", "{id: a, prompt: b, R}"),
        ("{id: a, prompt: b, status: x, price: y, }", "{id: a, prompt: b, R, }"),
        ("{id: a, prompt: b, title: }", "{id: a, prompt: b, title: , R}"),
        ("{prompt: b, title}", "{prompt: b, title, R}"),
        ("{id: a, # one\n  status: x, # two\n  prompt: 'b' # three\n  }",
         "{id: a # one\n  , # two\n  prompt: 'b', R # three\n  }"),
        ("&x {id: a, prompt: b}", "&x {id: a, prompt: b, R}"),
        ("? prompt\n  : b", "? prompt\n  : b\n  status: completed"),
        ("&x\n  prompt: b", "&x\n  prompt: b\n  status: completed"),
        ("prompt: b\n  title: &t", "prompt: b\n  title: &t\n  status: completed"),
    ],
)  # fmt: skip
def test_shapes_of_jobs(write: Write, before: str, after: str) -> None:
    """Old results go with their commas, new ones come behind the last key."""
    found = write(f"jobs:\n- {before}\n- next\n", {2: [{"status": "completed"}]})
    assert found == f"jobs:\n- {after.replace('R', 'status: completed')}\n- next\n"


def test_jobs_in_brackets(write: Write) -> None:
    """A list on one line: each job has a row of its own."""
    names = (("one",), ("two", "three"), ("four",), ("five",))
    found = write(
        "jobs: [a b, {prompt: c, count: 2}, prompt: d, 'e']\n",
        {row: [{"status": name} for name in those] for row, those in enumerate(names, 1)},
    )
    assert found == (
        "jobs: [{prompt: a b, status: one}, {prompt: c, count: 2, status: [two, three]}, "
        "{prompt: d, status: four}, {prompt: 'e', status: five}]\n"
    )
    with pytest.raises(ValueError, match="told apart"):
        write("[a, b]\n", {1: [DONE, DONE]})  # loaded by an older version


def test_an_alias_gets_results_of_its_own(write: Write, tmp_path: Path) -> None:
    """Neither an alias nor a merge hands one job's results to another."""
    text = (
        "jobs:\n"
        "- &x # the first\n"
        "  id: a\n"
        "  prompt: |\n"
        "    words\n"
        "  # note\n"
        "- <<: *x\n"
        "  id: b\n"
        "- &p bare\n"
        "- *p\n"
        "- {id: c, prompt: *p, like: *x}\n"
        "- {<<: *x, id: d}\n"
    )
    path = tmp_path / "out.yaml"
    path.write_text(write(text, {2: [FAILED], 7: [DONE], 9: [FAILED], 10: [DONE], 11: [DONE]}))
    assert path.read_text() == (
        "jobs:\n"
        "- <<: &x # the first\n"
        "    id: a\n"
        "    prompt: |\n"
        "      words\n"
        "  status: failed\n"
        '  error: "no: that\'s #1"\n'
        "  attempts: 2\n"
        "  # note\n"
        "- <<: *x\n"
        "  id: b\n"
        "  status: completed\n"
        '  price: "0.12"\n'
        "  attempts: 1\n"
        "- prompt: &p bare\n"
        "  status: failed\n"
        '  error: "no: that\'s #1"\n'
        "  attempts: 2\n"
        "- prompt: *p\n"
        "  status: completed\n"
        '  price: "0.12"\n'
        "  attempts: 1\n"
        '- {id: c, prompt: *p, like: *x, status: completed, price: "0.12", attempts: 1}\n'
        "- {<<: *x, id: d}\n"
    )
    assert [found.get("error") for found in results_of(path)] == [
        FAILED["error"], None, FAILED["error"], None, None, None,
    ]  # fmt: skip


def test_an_alias_for_a_whole_job(write: Write, tmp_path: Path) -> None:
    """It becomes a job that merges the other; results that the other had do not come along."""
    text = "- &x {prompt: a, error: old}\n- *x\n- <<: *x\n  id: c\n"
    path = tmp_path / "out.yaml"
    path.write_text(write(text, {2: [{"status": "completed"}], 3: [{"status": "queued"}]}))
    assert path.read_text() == (
        "- &x {prompt: a, error: old}\n"
        "- <<: *x\n"
        "  status: completed\n"
        "  error: null\n"
        "- <<: *x\n"
        "  id: c\n"
        "  status: queued\n"
        "  error: null\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        *("16:9", "007", "no", "NULL", "1e3", "0x1", "2026-05-01T10:00:00Z", "~", "<<", "=", "y"),
        *("a: b", "a #b", "- x", "? x", "{", "}", "[", "]", ",", "'", '"', "\\", "|", ">", "`"),
        *(" x ", "line\nbreak\r\n", "\u2028\x85\x7f\ufeff", "😀 é", "*a", "&a", "!a", "%a", "@a"),
    ],
)
def test_texts_stay_texts(write: Write, text: str) -> None:
    """Whatever they look like, in a block, in braces and in a list, also to other YAML readers."""
    for manifest in ("- prompt: p\n", "- {prompt: p}\n"):
        one = write(manifest, {1: [{"error": text}]})
        assert yaml.safe_load(one)[0]["error"] == text
        two = write(manifest, {1: [{"error": text}, {"error": text}]})
        assert yaml.safe_load(two)[0]["error"] == [text, text]


def test_numbers_and_addresses_are_written_plainly(write: Write) -> None:
    """What can't be mistaken needs no quotes; what YAML can't hold is replaced."""
    found = write(
        "- prompt: p\n",
        {1: [{"price": Decimal("0.10"), "video_url": "https://x.example/a?b=1", "error": "a\0"}]},
    )
    assert found == (
        '- prompt: p\n  price: 0.10\n  video_url: https://x.example/a?b=1\n  error: "a\ufffd"\n'
    )
    with pytest.raises(ValueError, match="list"):
        write("- prompt: p\n", {1: [{"error": []}]})


def test_a_file_without_a_lastline_end(write: Write) -> None:
    """Nothing is appended to a text that ended with the file, and no line end to the file."""
    found = write("- prompt: p\n  title: |\n    text", {1: [{"status": "failed"}]})
    assert found == "- prompt: p\n  title: |-\n    text\n  status: failed"
    assert write("- p", {1: [{"status": "failed"}]}) == "- prompt: p\n  status: failed"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("jobs:\n- a\n", 3),
        ("jobs:\n- a\n-\n", 3),
        ("jobs:\n- a\n- [b]\n", 3),
        # the results would become part of what another key carries
        ("defaults:\n  mine: &j\n  - {prompt: a}\njobs: *j\n", 3),
        ("- status: x\n- b\n", 1),
        ("defaults: {status: x}\njobs:\n- a\n", 3),
    ],
)
def test_what_would_change_the_jobs_is_refused(write: Write, text: str, line: int) -> None:
    """The file is read again before it is written; nothing is written when it says otherwise."""
    with pytest.raises(ValueError, match="can't be written into the manifest"):
        write(text, {line: [{"price": "1"}]})


def test_the_guard_compares_what_the_reader_sees(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slip in the editing itself is found: here, results that land one line too high."""
    monkeypatch.setattr(
        "batchsora.manifest.formats.yaml_results.line_end", lambda _, place: place - 1
    )
    with pytest.raises(ValueError, match="can't be written into the manifest"):
        write("- prompt: pp\n- q\n", {1: [DONE]})


def test_a_manifest_that_cannot_be_read(write: Write) -> None:
    """The reader's own error, with its place."""
    with pytest.raises(ManifestError, match="not valid YAML"):
        write("jobs: [a", {1: [DONE]})


# Random manifests, written in every way that people write them

WORDS = st.from_regex(r"[a-z][a-z:#'é0-9]{0,6}( [a-z'é#]{1,5}[a-z]){0,3}", fullmatch=True).filter(
    lambda words: ": " not in words and not words.endswith(":")
)
VALUES = WORDS | st.sampled_from(
    ["16:9", "007", "no", "~", "", "2026-05-01", "'it''s'", '"a\\n b"', "[ x,  y]", "{ k: v }"]
)
COMMENTS = st.sampled_from(["", "", " # note", "   #  far: off"])
BETWEEN = st.sampled_from(["", "", "\n", "# a comment\n", "    # deep\n\n"])
RESULTS = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["completed", "failed"]),
        "price": st.sampled_from(["", "0.12"]),
        "error": st.text(max_size=8).map(lambda text: text.encode("utf-8", "replace").decode()),
        "attempts": st.integers(0, 3),
    }
)


@st.composite
def job_texts(draw: st.DrawFn, number: int) -> tuple[str, int]:
    """Draw a job as text, and how many videos it asks for."""
    kind = draw(st.sampled_from(["block", "block", "flow", "bare", "quoted", "literal", "late"]))
    words, comment = draw(WORDS), draw(COMMENTS)
    safe = words.replace(" #", " ").replace(":", "").replace("'", "")
    count = draw(st.sampled_from([1, 1, 2, 3]))
    gap = draw(st.sampled_from([" ", "   "]))
    pad = " " * (1 + len(gap))
    if kind == "bare":
        return f"-{gap}{safe}\n{pad}and {safe}\n", 1
    if kind == "quoted":
        return f'-{gap}"{safe}\n\n   {safe}"{comment}\n', 1
    if kind == "literal":
        style = draw(st.sampled_from(["|", ">", "|-", ">+", "|2"]))
        return f"-{gap}{style}{comment}\n  {words}\n\n  {words}\n" + draw(BETWEEN), 1
    if kind == "flow":
        inside = f"id: f{number},prompt: '{safe}', count: {count} "
        return f"-{gap}{{ {inside}}}{comment}\n", count
    lines = [f"id: i{number}", f'prompt: "{safe}"{comment}', f"count: {count}"]
    for name in draw(st.lists(st.sampled_from(["title", "note", "status", "error"]), unique=True)):
        value = draw(VALUES)
        lines.append(f"{name}:{' ' if value else ''}{value}{draw(COMMENTS)}")
    if draw(st.booleans()):
        lines.append(f"long: |{comment}\n{pad}  {words}\n\n{pad}  {words}")
    if kind == "late":
        return f"-{comment}\n" + "".join(f"{pad}{line}\n" for line in lines), count
    return f"-{gap}" + f"\n{pad}".join(lines) + "\n", count


@st.composite
def manifests(draw: st.DrawFn) -> tuple[str, list[int]]:
    """Draw a manifest, and how many videos each of its jobs asks for."""
    jobs = [draw(job_texts(number)) for number in range(draw(st.integers(1, 5)))]
    indent = draw(st.sampled_from(["", "  "]))
    text = "".join(job + draw(BETWEEN) for job, _ in jobs)
    text = "".join(
        indent + line if line.strip() else line for line in text.splitlines(keepends=True)
    )
    head = draw(st.sampled_from(["jobs:\n", "# top\n---\nbatch: night\njobs: # all\n"]))
    text = head + text
    if draw(st.booleans()):
        text = text.rstrip("\n")
    return text, [count for _, count in jobs]


@settings(max_examples=40)  # each is read in processes apart; make fuzz goes further
@given(manifest=manifests(), data=st.data())
def test_any_manifest_with_any_results(
    tmp_path_factory: pytest.TempPathFactory, manifest: tuple[str, list[int]], data: st.DataObject
) -> None:
    """The reader sees the same jobs before and after, and the results where they belong."""
    text, counts = manifest
    folder = tmp_path_factory.mktemp("yaml")
    before, after = folder / "m.yaml", folder / "m2.yaml"
    before.write_text(text, encoding="utf-8", newline="")
    table = open_yaml(before)
    chosen = {
        job.line: [data.draw(RESULTS) for _ in range(count)]
        for job, count in zip(table.jobs, counts, strict=True)
        if data.draw(st.integers(0, 3))
    }
    found = written(before, chosen)
    after.write_text(found, encoding="utf-8", newline="")
    assert jobs(after) == jobs(before)
    was = results_of(before)
    for job, there, old in zip(table.jobs, results_of(after), was, strict=True):
        said = chosen.get(job.line)
        if said is None:
            assert there == old
        elif len(said) == 1:
            due = {name: str(value) for name, value in said[0].items() if value != ""}
            assert there == {name: text.replace("\0", "\ufffd") for name, text in due.items()}
        else:
            assert there["status"].count(",") == len(said) - 1
    kept = {line.strip() for line in text.splitlines() if line.strip().startswith("#")}
    assert kept <= {line.strip() for line in found.splitlines()}
    lines = [job.line for job in open_yaml(after).jobs]
    again = {
        new: chosen[old.line]
        for new, old in zip(lines, table.jobs, strict=True)
        if old.line in chosen
    }
    assert written(after, again) == found
