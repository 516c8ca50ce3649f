"""``batchsora schema`` against the reader: what the schema refuses, the reader refuses."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import SchemaValidator, ValidationError
from support import tiny
from support.shell import Shell

from batchsora.manifest import read, values
from batchsora.manifest.errors import CellError, ManifestError
from batchsora.manifest.formats import tree
from batchsora.manifest.formats.json_reader import open_json, read_document
from batchsora.manifest.formats.tree_table import OWN, SCHEMA_KEY, TOP_LEVEL
from batchsora.manifest.formats.yaml_tree import open_yaml, parsed
from batchsora.manifest.rows.headers import SYNONYMS, WEAK
from batchsora.manifest.schema import json_schema, validator_schema
from jobs.model.spec import JobSpec

PROJECT = Path(__file__).resolve().parents[2]
VALIDATOR = SchemaValidator(validator_schema())
PRINTED = json_schema()


@pytest.fixture(scope="module", autouse=True)
def _read_here() -> Iterator[None]:
    """Read in this process: one of its own for each example would take minutes."""
    with pytest.MonkeyPatch.context() as patch:
        for suffix, reader in ((".json", open_json), (".yaml", open_yaml)):
            patch.setitem(read.READERS, suffix, reader)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures of any name that a cell may say."""
    made = tmp_path_factory.mktemp("manifests")
    for name in ("kite.png", "5", "1.5", "true"):
        (made / name).write_bytes(tiny.jpeg(name.encode()))
    return made


def data(node: tree.Node) -> Any:
    """Give what an editor sees: YAML 1.2 and JSON, which have one kind of number."""
    match node:
        case tree.Mapping():
            return {key.text: data(value) for key, value in node.entries}
        case tree.Sequence():
            return [data(item) for item in node.items]
        case tree.Scalar():
            plain = node.plain and tree.LITERAL.fullmatch(node.text)
            return _plain(node.text.lower()) if plain else None if node.null else node.text


def _plain(text: str) -> bool | float:
    """Give what a text without quotes is that is no text."""
    if text in {"true", "false"}:
        return text == "true"
    if text.startswith(("0x", "0o")):
        return int(text, 0)
    number = float(text.replace(".inf", "inf").replace(".nan", "nan"))
    return int(number) if math.isfinite(number) and number.is_integer() else number


def valid(found: Any) -> bool:
    """Ask the schema."""
    try:
        VALIDATOR.validate_python(found)
    except ValidationError:
        return False
    return True


def taken(path: Path) -> bool:
    """Ask the reader: whether it takes all of it."""
    try:
        return all(isinstance(row, JobSpec) for row in read.open_manifest(path).rows())
    except ManifestError:
        return False


def both(folder: Path, content: str, name: str) -> tuple[bool, bool]:
    """Ask the schema, and the reader."""
    path = folder / name
    path.write_text(content, encoding="utf-8")
    node = parsed(path, content) if name.endswith(".yaml") else read_document(name, content, "")
    return valid(data(node)), taken(path)


def schema_takes(column: str, text: str) -> bool:
    """Ask the schema for a text in one column."""
    return valid([{"prompt": "a", column: text}])


SPELT = st.lists(
    st.sampled_from(
        [
            *values.ORIENTATIONS,
            *("10", "15", "1", "000", "9", "16", "4:09", "00", ":", ".", ",", "'", "+", "-", "e"),
            *(" ", "\t", "\x1c", "\u00a0", "\uff11\uff10", "\r\n", "\n", "{", "#", "$", "usd"),
            *("s", "sec", "Secs.", "SECONDS", "am", "PM", "1,000", "1.000"),
            *("https://", "http://", "host", "/a"),
        ]
    ),
    max_size=5,
).map("".join)
TEXTS = st.one_of(SPELT, st.sampled_from(["kite.png", "a" * 201, "a" * 4001]), st.text(max_size=8))
SCALARS = st.one_of(
    TEXTS,
    st.none(),
    st.booleans(),
    st.sampled_from([5, 10, 15, 10.0, 1.5, -1, 0, 1000, 1001, 10**6, 10**7, 10**12, 0.12]),
    st.integers(-(10**7), 10**7),
    st.floats(allow_nan=False, allow_infinity=False),
)
ANYTHING = st.one_of(
    SCALARS,
    st.just([]),
    st.just({}),
    st.lists(SCALARS, max_size=2),
    st.dictionaries(TEXTS, SCALARS, max_size=2),
)
WORDS = [
    *SYNONYMS,
    *(word for table in (SYNONYMS, WEAK) for words in table.values() for word in words),
]
KEYS = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from(WORDS).flatmap(
        lambda word: st.sampled_from([word.upper(), word.title(), f" {word}", f"{word} (x)"])
    ),
    st.sampled_from(["Notes", "values", "x-a", "<<", "durration"]),
)
GOOD: Mapping[str, tuple[Any, ...]] = {
    "id": ("a", 7, " b ", True, f"{'a' * 200} "),
    "prompt": ("a cat", 1984, True, f"{'a' * 4000}\n", "a\r\nb"),
    "image": ("kite.png", 5, 1.5, True, ""),
    "image_url": ("https://a.b/c.png", " HTTP://a.b/c.png", None),
    "orientation": ("9:16", "16:9", "PORTRAIT", " 16 x 9", "4:09 pm", "9 / 16", None, ""),
    "duration": (10, 15, 10.0, "15 S", "10.00 secs.", "15,0", "\uff11\uff10"),
    "campaign": ("spring", 2024, False, f" {'a' * 200}", ""),
    "priority": (-5, 0, 10**6, "1,000,000", "+3", "1'000", -2.0),
    "count": (1, 2, "2.0", " 3 ", 2.0, None),
    "callback_url": ("https://a.b/c", "", "Https://a.b"),
}
GIVEN = st.sampled_from(
    [*SYNONYMS]
).flatmap(
    lambda name: st.one_of(
        st.fixed_dictionaries({name: st.sampled_from(GOOD[name])}),
        st.fixed_dictionaries({name: ANYTHING}),
        st.fixed_dictionaries(  # a synonym alone, and one beside the name itself
            {word: st.sampled_from(GOOD[name]) for word in SYNONYMS[name][:1]}
        ),
        st.builds(
            lambda good, word, other: {name: good, word: other},
            st.sampled_from(GOOD[name]),
            st.sampled_from([*SYNONYMS[name], *WEAK.get(name, ()), "Notes"]),
            ANYTHING,
        ),
    )
)
ROWS = st.builds(
    lambda prompt, given, others: prompt | given | others,
    st.sampled_from([{"prompt": "a fox"}, {"prompt": "a fox"}, {"Prompt": "a fox"}, {}]),
    GIVEN,
    st.one_of(st.just({}), GIVEN, st.dictionaries(KEYS, ANYTHING, max_size=2)),
)
VALUES = st.one_of(
    ANYTHING,
    st.dictionaries(KEYS, st.lists(SCALARS, max_size=2), max_size=2),
    st.lists(st.dictionaries(KEYS, SCALARS, max_size=2), max_size=2),
)
ENTRIES = st.builds(
    lambda row, found, more: {"prompt": "{a}"} | row | ({"values": found} if found else {}) | more,
    ROWS,
    st.one_of(st.just({"a": ["x"]}), st.just([{"a": "x"}]), VALUES),
    st.one_of(st.just({}), st.just({"prompt": "{a} b"})),
)
MONEY = st.sampled_from([5, 0.12, 0, 10**9, "$5", " 5.50 Usd", "12 $", "0005", None])
CAMPAIGN = st.one_of(
    ANYTHING,
    st.fixed_dictionaries({"budget": st.one_of(MONEY, ANYTHING)}),
    st.fixed_dictionaries({"defaults": st.one_of(ANYTHING, ROWS, GIVEN)}),
)
SETTINGS = st.one_of(
    st.fixed_dictionaries({"batch": ANYTHING}),
    st.fixed_dictionaries({"budget": st.one_of(MONEY, ANYTHING)}),
    st.fixed_dictionaries({"defaults": st.one_of(ANYTHING, ROWS, GIVEN)}),
    st.fixed_dictionaries({"campaigns": st.one_of(ANYTHING, st.dictionaries(TEXTS, CAMPAIGN))}),
    st.fixed_dictionaries({"matrix": st.one_of(ANYTHING, ENTRIES, st.lists(ENTRIES, max_size=2))}),
    st.dictionaries(st.sampled_from([*TOP_LEVEL, SCHEMA_KEY, OWN, "x-a", "Jobs"]), ANYTHING),
)
DOCUMENTS = st.one_of(
    ROWS.map(lambda row: [row]),
    ROWS.map(lambda row: [row]),
    st.lists(st.one_of(ANYTHING, ROWS), max_size=2),
    st.builds(lambda said: {"jobs": ["a fox"]} | said, SETTINGS),
    SETTINGS,
    ANYTHING,
)


@settings(max_examples=600)
@given(DOCUMENTS)
def test_what_the_schema_refuses_the_reader_refuses(folder: Path, document: Any) -> None:
    """Whatever stands anywhere, under any spelling of a key."""
    with suppress(ManifestError):  # no tree at all: it holds a NUL, or half a character
        by_schema, by_reader = both(folder, json.dumps(document), "any.json")
        assert by_schema or not by_reader


@pytest.mark.parametrize(
    ("column", "parse"),
    [
        ("orientation", values.orientation),
        ("duration", values.duration),
        ("callback_url", values.callback_url),
        ("id", values.row_id),
        ("campaign", values.campaign),
        ("prompt", values.prompt),
        ("count", values.count),
        ("priority", values.priority),
    ],
)
@given(text=TEXTS)
def test_what_a_column_refuses_no_parser_takes(column: str, parse: Any, text: str) -> None:
    """And of orientations and durations in plain letters both take the same."""
    try:
        parse(text)
        read_by_it = True
    except CellError:
        read_by_it = False
    by_schema = schema_takes(column, text)
    assert by_schema or not read_by_it
    plain = re.fullmatch(r"[\t-\r -~]*", text)
    if column in {"orientation", "duration"} and plain:
        assert by_schema == read_by_it


@pytest.mark.parametrize(
    "content",
    [
        "- {prompt: a fox, duration: 12}",
        "- {prompt: a fox, duration: true}",
        "- {prompt: a fox, duration: 12 s}",
        "- {prompt: a fox, orientation: 4:3}",
        "- {prompt: a fox, orientation: 1.78}",
        "- {prompt: [a fox, a cat]}",
        f"- {{prompt: {'a' * 4001}}}",
        f"- {{prompt: a fox, id: {'a' * 201}}}",
        "- {prompt: a fox, id: -x}",
        '- {prompt: a fox, campaign: "a\\nb"}',
        "- {prompt: a fox, count: 0}",
        "- {prompt: a fox, count: 1001}",
        "- {prompt: a fox, count: 2.5}",
        "- {prompt: a fox, count: many}",
        "- {prompt: a fox, priority: 10000000}",
        "- {prompt: a fox, callback_url: http://example.com/hook}",
        "- {prompt: a fox, image_url: images/kite.png}",
        "- {prompt: a fox, image: [kite.png]}",
        "- 1984",
        "- 007",
        "- True",
        "- [a fox]",
        "[]",
        "a fox",
        "{jobs: a fox}",
        "{jobs: [a fox], buget: 5}",
        "{jobs: [a fox], batch: [a]}",
        f"{{jobs: [a fox], batch: {'a' * 201}}}",
        "{jobs: [a fox], budget: -1}",
        "{jobs: [a fox], budget: lots}",
        "{jobs: [a fox], budget: {}}",
        "{jobs: [a fox], budget: 1000000001}",
        "{jobs: [a fox], campaigns: [spring]}",
        "{jobs: [a fox], campaigns: {spring: 5}}",
        "{jobs: [a fox], campaigns: {spring: {cap: 5}}}",
        "{jobs: [a fox], campaigns: {spring: {budget: none}}}",
        "{jobs: [a fox], campaigns: {spring: {defaults: {campaign: spring}}}}",
        "{jobs: [a fox], defaults: {id: a}}",
        "{jobs: [a fox], defaults: {duration: 12}}",
        "{jobs: [a fox], defaults: 15}",
        "{matrix: a fox}",
        "{matrix: {prompt: a fox}}",
        "{matrix: {prompt: 'a {b}', values: {b: []}}}",
        "{matrix: {prompt: 'a {b}', values: {b: [[c]]}}}",
        "{matrix: {prompt: 'a {b}', values: [c]}}",
        "{matrix: {prompt: 'a {b}', values: {b: [~]}}}",
        "{matrix: {prompt: 'a {b}', values: {b: [c]}, duration: 12}}",
    ],
)
def test_what_both_refuse(folder: Path, content: str) -> None:
    """What is wrong without a doubt is underlined."""
    assert both(folder, content, "wrong.yaml") == (False, False)


@pytest.mark.parametrize(
    "content",
    [
        "- a fox\n- ~\n- {}\n- {Text: a cat, Seconds: 15, tags: [a, {b: 1}], note: ~}",
        "- {prompt: 1984, id: 007, campaign: true, image: kite.png}",
        "- {prompt: a fox, orientation: 16:9, duration: 15.0, count: 2, priority: -5}",
        "- {prompt: a fox, orientation: ' 16 x 9 ', duration: 10 Secs., count: ' 2 '}",
        "- {prompt: a fox, orientation: 4:09 PM, duration: \uff11\uff10 s, priority: '1,000,000'}",
        "- {prompt: a fox, text: [a], duration: 15, seconds: 12, aspect: 16:9, size: 4 MB}",
        "- {prompt: a fox, orientation: , duration: '', count: ~, callback_url: https://a.b/c}",
        f"- prompt: |\n    {'a' * 4000}\n\n",
        "{jobs: ~, matrix: {prompt: '{a}', duration: '{d}', values: {a: [1, b], d: [10, 15]}}}",
        "{jobs: {}, matrix: [{prompt: '{a}', values: [{a: x}, {a: y}]}, ~, {}]}",
        "x-jobs: &a {prompt: a fox}\njobs: [*a, {<<: *a, duration: 15}]\nbudget: $5.50 USD",
        "{jobs: [a fox], $schema: a.json, batch: 2024, budget: ~, campaigns: ~, defaults: {}}",
        "{jobs: [a fox], budget: 0, campaigns: {5: {budget: 0.5, defaults: ~}, spring: {}}}",
        "{jobs: [a fox], defaults: {seconds: 15, campaign: 5, note: [a]}}",
    ],
)
def test_what_both_take(folder: Path, content: str) -> None:
    """What the reader takes is not underlined."""
    assert both(folder, content, "right.yaml") == (True, True)


@pytest.mark.parametrize(
    "path",
    [
        path
        for place in ("sample_manifests", "tests/data")
        for path in sorted((PROJECT / place).rglob("*"))
        if path.suffix in {".yaml", ".yml", ".json"}
    ],
    ids=lambda path: path.name,
)
def test_samples_are_valid(path: Path) -> None:
    """Every manifest that people begin with."""
    assert taken(path)
    assert valid(data(parsed(path, path.read_text(encoding="utf-8"))))


def test_the_manual_is_valid(folder: Path) -> None:
    """Its manifests in YAML; that for editors among them."""
    page = (PROJECT / "docs" / "manifests.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert any("yaml-language-server" in content for content in shown)
    for content in shown:
        assert both(folder, content, "manual.yaml") == (True, True), content


def properties(part: str) -> Mapping[str, Any]:
    """Give what is printed of a definition's keys."""
    found: Mapping[str, Any] = PRINTED["$defs"][part]["properties"]
    return found


def test_everything_of_ours_is_printed_and_explained() -> None:
    """Each key has words, each column examples that are taken; no key is left out."""
    assert PRINTED["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(properties("Manifest")) == {*TOP_LEVEL, SCHEMA_KEY}
    assert PRINTED["$defs"]["Manifest"]["additionalProperties"] is False
    assert list(PRINTED["$defs"]["Manifest"]["patternProperties"]) == [f"^{OWN}"]
    assert set(properties("Job")) == set(WORDS)
    assert PRINTED["$defs"]["Job"]["additionalProperties"] is True
    for part in PRINTED["$defs"].values():
        assert part["description"]
        assert all(inner["description"] for inner in part.get("properties", {}).values())
    for name in SYNONYMS:
        examples = properties("Job")[name]["examples"]
        assert examples
        assert all(valid([{"prompt": "a fox", name: one}]) for one in examples)


def test_patterns_are_those_of_other_languages_too() -> None:
    """Nothing that only Python's patterns have, and nothing that no file can hold."""
    text = json.dumps(PRINTED)
    patterns = [
        json.loads(f'"{found}"') for found in re.findall(r'"pattern": "((?:[^"\\]|\\.)*)"', text)
    ]
    assert patterns
    for pattern in patterns:
        assert not re.search(r"\(\?[^:!=]|\\[AZ]|[+*?}]\+", pattern), pattern
        assert pattern.isascii()
        assert pattern.isprintable()


def test_the_command_prints_it(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The same for people and scripts, without a database and a token."""
    for options in ((), ("--json",)):
        said = Shell(capfd)("schema", *options)
        assert said.code == 0
        assert json.loads(said.out) == PRINTED
    assert list(tmp_path.iterdir()) == []
