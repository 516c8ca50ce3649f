from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from support.clock import START

from batchsora.cli import group
from batchsora.sandbox.account import Made
from batchsora.sandbox.answers import Span, answer, is_answer
from batchsora.sandbox.faults import READERS, Faults
from batchsora.sandbox.listing import WAYS, Listing, echoed, echoes
from batchsora.sandbox.manners import ADDRESSES, FILES, FORMS, MOMENTS, REFUSALS, Manners
from batchsora.sandbox.table import ROWS, as_text

EXAMPLES = [row.example for row in ROWS]


def _made(count: int) -> list[Made]:
    return [
        Made(f"id-{n}", f"fox {n}", "9:16", 10, 1, None, START + timedelta(seconds=n), 300.0)
        for n in range(count)
    ]


# the table


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e != "late_seconds=90"])
def test_each_example_of_the_table_means_something(example: str) -> None:
    """It is read, and changes what the sandbox does; 90 s are what a late answer takes anyway."""
    assert Faults.parse(example) != Faults()


def test_the_table_has_what_the_parser_reads() -> None:
    """Each name once at least, no example twice, and each word of a value that has words."""
    assert {row.name for row in ROWS} == set(READERS)
    assert len(set(EXAMPLES)) == len(EXAMPLES)
    text = as_text()
    for name, words in (("echo", WAYS), ("address", ADDRESSES), ("file", FILES)):
        for word in words:
            assert f" {name}={word}" in text
    for word in (*FORMS, *MOMENTS, *REFUSALS):
        assert word in text


def test_each_field_of_the_manners_can_be_asked_for() -> None:
    """None is left that no example reaches."""
    usual = Manners()
    reached = {
        field.name
        for example in EXAMPLES
        for field in fields(Manners)
        if getattr(Faults.parse(example).manners, field.name) != getattr(usual, field.name)
    }
    assert reached == {field.name for field in fields(Manners)}


def test_each_field_of_the_list_can_be_asked_for() -> None:
    """The same for the list's own manners."""
    lists = [row.example.partition("=")[2] for row in ROWS if row.name == "list"]
    reached = {
        field.name
        for text in lists
        for field in fields(Listing)
        if getattr(Listing.read(text), field.name) != getattr(Listing(), field.name)
    }
    assert reached == {field.name for field in fields(Listing)}


def test_the_command_prints_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--faults help`` starts nothing."""
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(group, ["sandbox", "--faults", "help"])
    assert said.output == as_text() + "\n"
    assert max(map(len, said.output.splitlines())) <= 100


# reading


def test_faults_go_together() -> None:
    """Rates, words and switches in one text; a rate that is named is kept."""
    faults = Faults.parse("drop=0.1, list=capped:20+lossy:0.5 ,upper-ids,fail=0.2,failure=A+B,")
    listing = Listing(capped=20, lossy=0.5)
    manners = Manners(listing=listing, upper_ids=True, failure=("A", "B"))
    assert faults == Faults(drop=0.1, fail=0.2, manners=manners)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("list=foo", "unknown word 'foo'; available: frozen, unordered"),
        ("list=capped", "available: frozen"),
        ("list=capped:many", "not a whole number"),
        ("list=lossy:2", "from 0 to 1"),
        ("list=frozen:9s:3", "must end after it starts"),
        ("list=altered", "available: frozen"),
        ("list=altered:rot13", "unknown echo 'rot13'; available: cut"),
        ("list=200", "unknown word '200'"),
        ("echo=cut:a", "not a whole number"),
        ("echo=lower:3", "unknown echo 'lower:3'"),
        ("failure=", "needs a value"),
        ("failure-form=x", "one of text, object"),
        ("status-failed=", "needs a value"),
        ("status=done", "unknown fault 'status'"),
        ("sick-as=99", "unknown answer '99'; available: 400 to 599"),
        ("sick=2", "from 0 to 1"),
        ("quota=a", "not a whole number"),
        ("quota=1:200", "unknown answer '200'"),
        ("throttled=1:soon", "not a whole number"),
        ("upper-ids=1", "takes no value; write it like upper-ids"),
        ("outage=", "write it like outage=60:120"),
        ("outage=5:3", "must end after it starts"),
        ("outage=5:9:writes", "unknown answer 'writes'"),
        ("outage=5:9:posts:502:1", "unknown answer '502:1'"),
        ("odd-time=year2", "one of year1"),
        ("odd-price=free", "not a number"),
        ("price=free", "not a number"),
        ("address=far", "one of relative"),
        ("address-expired=soon", "unknown answer 'soon'"),
        ("file=zip", "unknown answer 'zip'"),
    ],
)
def test_what_makes_no_sense_is_refused(text: str, words: str) -> None:
    """The message names what there is, or how to write it."""
    with pytest.raises(ValueError, match=words):
        Faults.parse(text)


@given(st.text("abc0159:+=,-.s") | st.sampled_from(EXAMPLES).flatmap(
    lambda e: st.text("abc0159:+=,-.s", max_size=6).map(lambda t: e + t)
))  # fmt: skip
def test_any_text_is_read_or_refused(text: str) -> None:
    """Never another error."""
    try:
        Faults.parse(text)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - any text may be read too


@given(st.integers(100, 700))
def test_answers_are_errors(status: int) -> None:
    """A status that is none is refused; the rest is itself, with and without a page."""
    assert is_answer(str(status)) is (400 <= status < 600)
    if is_answer(str(status)):
        assert answer(str(status)).status == answer(f"html{status}").status == status
        assert answer(f"html{status}").is_page
        assert not answer(str(status)).is_page


# the list, without HTTP

_listings = st.builds(
    Listing,
    frozen=st.none() | st.builds(Span, st.integers(0, 9), st.integers(10, 19)),
    longest=st.none() | st.integers(0, 12),
    newest=st.none() | st.integers(0, 12),
    lossy=st.sampled_from([0.0, 0.3]),
    order=st.sampled_from(["newest", "oldest", "none"]),
    capped=st.none() | st.integers(1, 4),
    short=st.booleans(),
)


@given(_listings, st.integers(0, 12), st.integers(1, 9), st.integers(0, 30))
def test_pages_join_to_what_is_shown(listing: Listing, count: int, limit: int, age: int) -> None:
    """Capped and short pages lose nothing to a reader that counts entries; an empty one ends it."""
    made, now = _made(count), START + timedelta(seconds=age)

    def shown() -> list[Made]:
        return list(listing.pick(made, 1, now, START))

    found: list[Made] = []
    while page := listing.page(shown(), limit, len(found)):
        assert isinstance(page, list)
        assert len(page) <= limit
        found += page
    assert found == shown()
    assert len({item.id for item in found}) == len(found)
    if listing == Listing(capped=listing.capped, short=listing.short):
        assert found == [item for item in made[::-1] if item.created_at <= now]


@given(_listings, st.integers(0, 12))
def test_a_list_never_shows_what_was_not_made(listing: Listing, count: int) -> None:
    """Whatever it leaves out, and in whatever order."""
    made = _made(count)
    shown = list(listing.pick(made, 1, START + timedelta(seconds=5), START, lag=2))
    assert all(item in made[:4] for item in shown)


@given(st.text(), st.sampled_from(WAYS))
def test_an_echo_depends_on_the_prompt_alone(prompt: str, way: str) -> None:
    """Shown twice, it is the same twice; what is cut stays cut."""
    ways = echoes(way)
    assert echoed(prompt, ways) == echoed(prompt, ways)
    if way == "cut":
        assert echoed(echoed(prompt, ways), ways) == echoed(prompt, ways)
