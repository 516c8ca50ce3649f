"""Which header means what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchsora.manifest.errors import ManifestError
from batchsora.manifest.rows.columns import understand
from batchsora.manifest.rows.headers import SYNONYMS, meaning, misspelt
from batchsora.manifest.rows.spelling import slips
from batchsora.result_columns import RESULT_NAMES


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("prompt", "prompt"),
        (" PROMPT ", "prompt"),
        ("Text", "prompt"),
        ("Aspect Ratio", "orientation"),
        ("aspect-ratio", "orientation"),
        ("ratio", "orientation"),
        ("Seconds", "duration"),
        ("length", "duration"),
        ("Image File", "image"),
        ("image_path", "image"),
        ("imageURL", "image_url"),
        ("copies", "count"),
        ("Job ID", "id"),
        ("Name", "id"),
        ("callback-url", "callback_url"),
        ("title", None),
        ("", None),
        ("???", None),
    ],
)
def test_headers_mean(header: str, name: str | None) -> None:
    """Case, spaces and punctuation don't count, and synonyms do."""
    assert meaning(header) == name


@pytest.mark.parametrize(
    ("header", "like"),
    [
        ("durration", "duration"),
        ("Orientaton", "orientation"),
        ("campain", "campaign"),
        ("priorty", "priority"),
        ("images", "image"),
        ("asepct", "orientation"),
    ],
)
def test_slips_are_suspicious(header: str, like: str) -> None:
    """A header that is a slip away from ours stops the person before money is spent."""
    columns = understand("m.csv", ["prompt", header], 1)
    assert columns.suspicious == (header,)
    assert columns.carried == (0, 1)
    assert f"looks like a misspelling of {like!r}" in columns.warnings[0].problem


def test_what_is_there_was_not_misspelt() -> None:
    """Beside a ``count``, a ``county`` is somebody's own column."""
    assert understand("m.csv", ["prompt", "count", "county", "text"], 1).suspicious == ()


@pytest.mark.parametrize(
    "header",
    ["title", "notes", "country", "accounts", "prompt id", "image alt", "date", "names", "rate"],
)
def test_honest_headers_are_not_suspicious(header: str) -> None:
    """Somebody's own columns raise no alarm."""
    assert understand("m.csv", ["prompt", header], 1).suspicious == ()


def test_a_misspelt_prompt_is_named() -> None:
    """Without a prompt the file is refused, and the likely one is named."""
    with pytest.raises(ManifestError, match=r"'promt' misspelled\? Rename it to 'prompt'"):
        understand("m.csv", ["id", "promt"], 1)
    with pytest.raises(ManifestError, match="first row must contain the column names"):
        understand("m.csv", ["A fox in the snow", "10"], 1)


def test_result_columns_are_left_out() -> None:
    """An export is loaded without its results, and without complaint."""
    headers = ["prompt", "title", *RESULT_NAMES]
    columns = understand("m.csv", headers, 1, results=range(2, len(headers)))
    assert columns.carried == (0, 1)
    assert columns.warnings == ()


def test_a_column_that_only_has_the_name_of_a_result_is_carried() -> None:
    """A person's own column of such a name doesn't vanish silently."""
    columns = understand("m.csv", ["prompt", "Status"], 1)
    assert columns.carried == (0, 1)
    assert columns.warnings == ()


def test_a_synonym_beside_the_proper_name_is_somebodys_own() -> None:
    """``name`` is an id only where there is no ``id``; the person is told."""
    columns = understand("m.csv", ["id", "prompt", "Name"], 1)
    assert columns.known == {"id": 0, "prompt": 1}
    assert columns.carried == (0, 1, 2)
    assert columns.suspicious == ()
    assert [warning.column for warning in columns.warnings] == ["Name"]


@pytest.mark.parametrize(
    "headers",
    [["prompt", "Prompt"], ["prompt", "seconds", "length"], ["prompt", "title", "title"]],
    ids=" ".join,
)
def test_columns_that_can_not_be_told_apart_are_refused(headers: list[str]) -> None:
    """Which of two columns counts is the person's decision."""
    with pytest.raises(ManifestError, match="columns"):
        understand("m.csv", headers, 1)


def test_columns_without_a_name_are_not_carried() -> None:
    """A nameless column has no place in an export."""
    columns = understand("m.csv", ["prompt", "", "title"], 1)
    assert columns.carried == (0, 2)
    assert columns.nameless == (1,)


def test_too_many_columns() -> None:
    """A header beyond all measure is another kind of file."""
    with pytest.raises(ManifestError, match="1001 columns"):
        understand("m.csv", ["prompt", *map(str, range(1000))], 1)


def test_no_two_names_are_one_slip_apart() -> None:
    """No proper name or synonym of one column looks like a slip of another's."""
    names = [(n, name) for name, others in SYNONYMS.items() for n in (name, *others)]
    assert [n for n, name in names if misspelt(n, ()) not in {None, name}] == []


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_slips_are_a_distance(one: str, other: str) -> None:
    """Counting slips is symmetric, and nothing only for equals."""
    assert slips(one, other) == slips(other, one)
    assert (slips(one, other) == 0) == (one == other)
    assert slips(one, other) <= max(len(one), len(other))


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Duration (sec)", "duration"),
        ("Length (seconds)", "duration"),
        ("Duration [10 or 15]", "duration"),
        ("Aspect ratio (16:9 / 9:16)", "orientation"),
        ("Aspect\nratio", "orientation"),
        ("Image (optional)", "image"),
        ("Image (JPG, max 10 MB)", "image"),
        ("Image URL (optional)", "image_url"),
        ("No. of copies", "count"),
        ("# of copies", "count"),
        ("Number of videos", "count"),
        ("Prompt (English)", "prompt"),
        ("Prompt\n(max. 4000 characters)", "prompt"),
        ("Prompt\r\nin English", "prompt"),
        ("Prompt\uff08English\uff09", "prompt"),
        ("Prompt*", "prompt"),
        ("Prompt:", "prompt"),
        ("1. Prompt", "prompt"),
        ("2) Duration (s)", "duration"),
        ("(3) Image", "image"),
        ("Video idea", "prompt"),
        ("Picture", "image"),
        ("Format", "orientation"),
        ("Secs", "duration"),
        # in other units it measures something else
        ("Duration (min)", None),
        ("Length (cm)", None),
        ("Count (characters)", None),
    ],
)
def test_hints_in_headers_are_no_part_of_the_name(header: str, name: str | None) -> None:
    """Brackets, what stands below a line break, and a number in front are no part of it."""
    assert meaning(header) == name


@pytest.mark.parametrize(
    ("header", "like"),
    [
        ("Durration (sec)", "duration"),
        ("Duration (min)", "duration"),
        ("Duration: 10 or 15", "duration"),
        ("Desired duration", "duration"),
        ("videoDurationSec", "duration"),
        ("Aspect ratio 16:9 / 9:16", "orientation"),
        ("Reference image", "image"),
        ("Image 2", "image"),
        ("Image optional", "image"),
        ("Image source", "image"),
        ("Image name", "image"),
        ("Qty", "count"),
        ("Quantity (pcs)", "count"),
        ("Copies needed", "count"),
        ("Marketing campaign", "campaign"),
        ("Länge (s)", "duration"),
        ("La\u0308nge", "duration"),
        ("Durée (s)", "duration"),
        ("Anzahl Videos", "count"),
        ("Kampagne", "campaign"),
        ("Campaña", "campaign"),
        ("Immagine", "image"),
        ("Formato", "orientation"),
    ],
)
def test_what_only_resembles_is_asked_about(header: str, like: str) -> None:
    """It is neither taken for ours nor left alone without a word; a person says which it is."""
    columns = understand("m.csv", ["prompt", header], 1)
    assert columns.suspicious == (header,)
    assert like not in columns.known
    assert f"={like}'" in columns.warnings[0].remedy
    assert understand("m.csv", ["prompt", header], 1, {header: like}).known[like] == 1
    own = understand("m.csv", ["prompt", header], 1, {header: ""})
    assert (own.suspicious, own.warnings, own.carried) == ((), (), (0, 1))


@pytest.mark.parametrize(
    "header",
    [
        *("Image notes", "Image alt (text)", "Product name", "Number", "No.", "#", "File size"),
        *("Prompt length", "Time frame", "Font size", "Campaign manager", "Image count", "Text"),
    ],
)
def test_what_is_about_something_else_is_somebodys_own(header: str) -> None:
    """A word of ours beside one that makes another thing of it raises no alarm."""
    assert understand("m.csv", ["prompt", header], 1).suspicious == ()


def test_a_weak_name_counts_only_where_there_is_no_better_one() -> None:
    """``Description`` is the prompt of a table without one, and somebody's own beside it."""
    assert understand("m.csv", ["Title", "Description"], 1).known == {"prompt": 1}
    columns = understand("m.csv", ["Description", "Prompt"], 1)
    assert (columns.known, columns.warnings, columns.suspicious) == ({"prompt": 1}, (), ())
    with pytest.raises(ManifestError, match=r"several columns mean 'prompt'.*--map 'Idea=prompt'"):
        understand("m.csv", ["Idea", "Scene"], 1)


def test_a_hint_tells_no_two_columns_apart() -> None:
    """Of two languages the person says which one is bought; the plain name goes before both."""
    with pytest.raises(ManifestError, match="several columns mean 'prompt'"):
        understand("m.csv", ["Prompt (English)", "Prompt (German)"], 1)
    columns = understand("m.csv", ["Prompt (German)", "Prompt"], 1)
    assert columns.known == {"prompt": 1}
    assert [warning.column for warning in columns.warnings] == ["Prompt (German)"]


def test_a_column_of_ours_may_be_said_to_be_somebodys_own() -> None:
    """``--map 'Size='``: it is carried along, whatever it is called."""
    columns = understand("m.csv", ["prompt", "Size"], 1, {"size": ""})
    assert (columns.known, columns.carried) == ({"prompt": 0}, (0, 1))


def test_a_header_that_may_be_the_prompt_is_named() -> None:
    """Without a prompt the file is refused with what to type."""
    with pytest.raises(ManifestError, match="Use --map 'Your prompt=prompt'"):
        understand("m.csv", ["id", "Your prompt"], 1)
