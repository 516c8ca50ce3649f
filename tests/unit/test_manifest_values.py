"""What single cells may say."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchsora.manifest import values
from batchsora.manifest.errors import CellError


@pytest.mark.parametrize(
    ("text", "orientation"),
    [
        ("", "9:16"),
        ("  ", "9:16"),
        ("9:16", "9:16"),
        ("16:9", "16:9"),
        (" 16 : 9 ", "16:9"),
        ("16x9", "16:9"),
        ("9\N{MULTIPLICATION SIGN}16", "9:16"),
        ("16\N{FULLWIDTH COLON}9", "16:9"),
        ("Portrait", "9:16"),
        ("VERTICAL", "9:16"),
        ("landscape", "16:9"),
        ("horizontal ", "16:9"),
        ("16:09", "16:9"),
        ("16:09:00", "16:9"),
        ("04:09:00 PM", "16:9"),
        ("4:09 PM", "16:9"),
        ("09:16:00", "9:16"),
        ("9:16:00 AM", "9:16"),
    ],
)
def test_orientations_are_understood(text: str, orientation: str) -> None:
    """Names, ratios, and the times that a spreadsheet makes of ratios mean an orientation."""
    assert values.orientation(text) == orientation


@pytest.mark.parametrize(
    "text", ["1:1", "4:3", "969", "556", "0.672916666666667", "0,386111", "9", "9:17", "4:09", "x"]
)
def test_anything_else_is_no_orientation(text: str) -> None:
    """What isn't certain is an error with a remedy, never the default, which would be paid for."""
    with pytest.raises(CellError) as caught:
        values.orientation(text)
    assert "landscape" in caught.value.remedy


@pytest.mark.parametrize("text", ["10", " 10 ", "10s", "10 s", "10 Sec", "10 seconds", "10.0", ""])
def test_ten_seconds_in_all_spellings(text: str) -> None:
    """Ten seconds are ten seconds, and the default."""
    assert values.duration(text) == 10


@pytest.mark.parametrize("text", ["15", "15s", "15 sec", "15 second", "15,0"])
def test_fifteen_seconds_in_all_spellings(text: str) -> None:
    """The unit may be written or not."""
    assert values.duration(text) == 15


@pytest.mark.parametrize("text", ["12", "0", "-10", "10.5", "1e1", "ten", "100", "10 min", "0:10"])
def test_other_durations_are_errors_that_name_the_two(text: str) -> None:
    """Only two durations can be bought, and the message says which."""
    with pytest.raises(CellError, match="10 or 15"):
        values.duration(text)


@pytest.mark.parametrize(
    ("text", "count"), [("", 1), ("1", 1), ("3", 3), ("1000", 1000), ("2.0", 2)]
)
def test_counts(text: str, count: int) -> None:
    """A count is a small whole number."""
    assert values.count(text) == count


@pytest.mark.parametrize("text", ["0", "-1", "1001", "1e9", "1.5", "two", "9" * 50, "٣"])
def test_what_is_no_count(text: str) -> None:
    """A slip in a count never orders a thousand million videos."""
    with pytest.raises(CellError, match="from 1 to 1000"):
        values.count(text)


@pytest.mark.parametrize(
    ("text", "priority"), [("", 0), ("5", 5), ("-5", -5), ("+3", 3), ("1.0", 1)]
)
def test_priorities(text: str, priority: int) -> None:
    """Priorities may be negative."""
    assert values.priority(text) == priority


@pytest.mark.parametrize("text", ["high", "1.5", "99999999", "--1"])
def test_what_is_no_priority(text: str) -> None:
    """A word is no priority."""
    with pytest.raises(CellError, match="priority"):
        values.priority(text)


def test_a_prompt_stays_as_written() -> None:
    """Inner white space, line breaks and other scripts are the person's; the ends are trimmed."""
    assert values.prompt("  Ein  Fuchs\n\tim Schnee 🦊 \n") == "Ein  Fuchs\n\tim Schnee 🦊"
    assert values.prompt("one\r\ntwo\rthree") == "one\ntwo\nthree"
    assert values.prompt("🦊") == "🦊"


def test_the_longest_prompt() -> None:
    """4000 code points are allowed, one more is not; the ends don't count."""
    assert len(values.prompt(" " + "é" * 4000 + " ")) == 4000
    with pytest.raises(CellError, match="4001 characters"):
        values.prompt("é" * 4001)


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "\u200b\u200b", "\u00a0", "\ufeff"])
def test_nothing_to_see_is_an_empty_prompt(text: str) -> None:
    """White space of any kind alone is no prompt."""
    with pytest.raises(CellError, match="empty"):
        values.prompt(text)


@pytest.mark.parametrize("text", ["a\x00b", "a\x1b[31mb", "a\x7fb", "a\x85b", "a\ud800b"])
def test_control_characters_are_no_prompt(text: str) -> None:
    """What no person typed is refused."""
    with pytest.raises(CellError, match="control"):
        values.prompt(text)


@pytest.mark.parametrize("text", ["007", "1e3", "yes", "Reihe 5", "a#2", "2024-05-01"])
def test_ids_stay_as_written(text: str) -> None:
    """An id is a text, whatever it looks like."""
    assert values.row_id(f" {text} ") == text


@pytest.mark.parametrize("text", ["-x", "#2", "a\nb", "a\tb", "a\u2028b", "x" * 201])
def test_what_is_no_id(text: str) -> None:
    """An id fits one line and a command's argument."""
    with pytest.raises(CellError, match="id"):
        values.row_id(text)


def test_empty_names_are_none() -> None:
    """Nothing written is nothing meant."""
    assert values.row_id(" ") is None
    assert values.campaign("") is None
    assert values.batch("") is None
    assert values.callback_url(" ") is None


def test_a_callback_is_https() -> None:
    """The provider announces to HTTPS addresses only."""
    assert values.callback_url(" https://example.com/hook?a=1 ") == "https://example.com/hook?a=1"


@pytest.mark.parametrize(
    "text",
    [
        "http://example.com/hook",
        "example.com/hook",
        "https://",
        "https:///path",
        "https://exa mple.com",
        "https://example.com/\x00",
        "https://[::1",
        "https://example.com:99999/",
        "https://example.com/" + "x" * 9000,
        "ftp://example.com",
    ],
)
def test_what_is_no_callback(text: str) -> None:
    """Half an address is an error, not a guess."""
    with pytest.raises(CellError, match="address"):
        values.callback_url(text)


@pytest.mark.parametrize(
    ("text", "usd"), [("25", "25"), ("0.1200", "0.1200"), ("$5.50", "5.50"), ("3 USD", "3")]
)
def test_money_is_read_exactly(text: str, usd: str) -> None:
    """The digits written are the digits kept."""
    assert str(values.money(text)) == usd
    assert isinstance(values.money(text), Decimal)


@pytest.mark.parametrize(
    "text", ["", "-1", "1,50", "1e3", "nan", "inf", "5 EUR", "9" * 13, "9999999999"]
)
def test_what_is_no_money(text: str) -> None:
    """A budget that can be misread is refused."""
    with pytest.raises(CellError, match="money"):
        values.money(text)


PARSERS: list[Callable[[str], object]] = [
    values.orientation,
    values.duration,
    values.count,
    values.priority,
    values.prompt,
    values.row_id,
    values.campaign,
    values.callback_url,
    values.money,
]


@pytest.mark.parametrize("parse", PARSERS, ids=lambda parse: parse.__name__)
@given(text=st.text() | st.from_regex(r"[-+0-9:.,xe ]{1,12}|https://\S{0,20}"))
def test_a_cell_is_a_value_or_a_cell_error(parse: Callable[[str], object], text: str) -> None:
    """No text whatever makes a parser fail in another way; what is understood, is so again."""
    try:
        value = parse(text)
    except CellError as error:
        assert error.problem  # noqa: PT017 - both outcomes are right; each is judged
        assert error.remedy  # noqa: PT017 - the same
    else:
        assert parse(text) == value


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1 000", 1000),
        ("1'000", 1000),
        ("1\u00a0000", 1000),
        ("1\u202f000", 1000),
        ("1\u2019000", 1000),
        ("1,000,000", 1_000_000),
        ("1.000.000", 1_000_000),
        ("-12 000", -12000),
        ("7.0", 7),
        ("7,00", 7),
        ("7.0000", 7),
    ],
)
def test_thousands_are_read_where_they_are_sure(text: str, number: int) -> None:
    """A space or an apostrophe groups; so does a sign that stands twice."""
    assert values.priority(text) == number


@pytest.mark.parametrize("text", ["1,000", "1.000", "12,000", "7.000", "1,500"])
@pytest.mark.parametrize("parse", [values.count, values.priority])
def test_what_may_be_thousands_is_never_guessed(parse: Callable[[str], int], text: str) -> None:
    """``1.000`` is a thousand in one country and one in the next; the error says what to write."""
    with pytest.raises(CellError, match="may be") as caught:
        parse(text)
    assert text.replace(",", "").replace(".", "") in caught.value.remedy


@pytest.mark.parametrize("text", ["10.000", "10,000", "10 000", "15.000 s", "1,0,0"])
def test_a_duration_of_thousands_is_refused(text: str) -> None:
    """It was taken for 10 s."""
    with pytest.raises(CellError):
        values.duration(text)


@pytest.mark.parametrize(
    "text",
    [
        *("#WERT!", "#NV", "#BEZUG!", "#NAME?", "#DIV/0!", "#N/A", "Err:502", "#BUSY!", "#######"),
        *(
            "Loading...",
            "Loading\u2026",
            "#\u00a1VALOR!",
            "#\u00dcBERLAUF!",
            "#NOMBRE?",
            "#VALEUR!",
        ),
    ],
)
def test_failed_formulas_of_any_language_are_errors(text: str) -> None:
    """They are no prompts."""
    with pytest.raises(CellError, match="formula returned an error"):
        values.refuse_formula(text)


@pytest.mark.parametrize("text", ["#1", "# a kite", "#kite!", "Loading a boat", "Err", "##"])
def test_what_only_begins_like_one_is_none(text: str) -> None:
    """A prompt may begin with the sign."""
    values.refuse_formula(text)
