"""What one cell may say: pure parsers from text to value, each of which raises :class:`CellError`.

An empty cell is the documented default; a cell with anything else that is not a value is an error,
never a default, because the default would be paid for.
"""

import re
import unicodedata
from decimal import Decimal
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from batchsora.manifest import errors
from batchsora.manifest.errors import CellError
from batchsora.providers.registry import DEFAULT_MODEL, MODELS
from jobs.model.money import LARGEST_USD

PORTRAIT: Final = "9:16"
LANDSCAPE: Final = "16:9"
MODEL: Final = DEFAULT_MODEL
"""The model of rows that name none."""
LONGEST_PROMPT: Final = max(one.longest_prompt for one in MODELS.values())
MOST_VARIANTS: Final = 1000
LONGEST_NAME: Final = 200
LONGEST_URL: Final = 8192
HIGHEST_PRIORITY: Final = 1_000_000

LONGEST_VALUE: Final = 200
"""Characters of an orientation, a number or an amount: to bring marks into order takes time by the
square of their number."""
_TOO_LONG: Final = "\0"

REMEMBERED: Final = 1024
"""Combinations of repeated cells whose meaning is kept."""

UNCALCULATED: Final = "#FORMULA!"
"""Replaces a formula whose result is not in the file."""
WRITTEN: Final = f"{UNCALCULATED} "
"""Precedes the text of one in a text table."""
_FAILED: Final = re.compile(
    # Excel's and LibreOffice's in any language: #REF!, #WERT!, #DIV/0!, #NOMBRE?, #¡VALOR!
    r"#[^\W_a-z]*(?:[/\u00a1\u00bf ]?[^\W_a-z]+){0,3}[!?]"
    r"|(?i:#(?:REF|NAME|VALUE|DIV/0|NULL|NUM|SPILL|CALC|BLOCKED|CONNECT|FIELD|ERROR|BUSY)[!?])"
    r"|(?i:#(?:N/A|N/D|N/V|NV|N/DISP|NA|GETTING_DATA|I/T|HI\u00c1NYZIK))"
    r"|(?i:(?:ERR|FEHLER|ERREUR|ERROR)\s?:\s?[0-9]{3})"  # in French with spaces
    r"|\#{3,}"  # a column that is too narrow
    r"|(?i:(?:LOADING|WIRD GELADEN|CHARGEMENT|CARGANDO)\s?(?:\.\.\.|\u2026))"
)
"""What programs write if a formula failed or is still being calculated."""
FAILED_BEGIN: Final = frozenset("#EeFfLlWwCc")
"""Its first characters."""
LONGEST_FAILED: Final = 24

_NOTHING: Final = frozenset(
    ("n/a", "na", "n.a", "n.v", "nan", "none", "null", "nil", "tbd", "tba", "tbc", "todo", "to do")
) | {"true", "false", "undefined", "nat", "\\n"}
"""What people and programs write instead of a text; a database writes ``\\N``."""
LONGEST_NOTHING: Final = 16
"""Characters, with signs around it."""
_WRITE: Final = "Write what the video shows, or remove the row."
_SIGNS: Final = " .,:;!?-_*\"'`()[]<>{}"
_LOST: Final = "\N{REPLACEMENT CHARACTER}"
"""Replaces a character that could not be read."""

_CONTROLS: Final = "\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff"
_CONTROLS_AND_LINES: Final = "\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
CONTROL: Final = re.compile(f"[{_CONTROLS}]")
CONTROL_OR_LINE: Final = re.compile(f"[{_CONTROLS_AND_LINES}]")
ORDINARY_PROMPT: Final = re.compile(
    rf"(?!(?:{_FAILED.pattern})\Z)"
    rf"[^\W_][^{_CONTROLS}]{{{LONGEST_NOTHING},{LONGEST_PROMPT - 1}}}(?<!\s)"
)
"""Texts that :func:`prompt` returns as they are: too long for a placeholder."""
ORDINARY_NAME: Final = re.compile(
    rf"(?!(?:{_FAILED.pattern})\Z)"
    rf"[^-#\s{_CONTROLS_AND_LINES}][^{_CONTROLS_AND_LINES}]{{0,{LONGEST_NAME - 1}}}(?<!\s)"
)
"""Texts that :func:`row_id` returns as they are."""
_NOT_IN_A_URL = re.compile('[\\s\x00-\x20\x7f-\x9f\ud800-\udfff<>"{}|\\\\^`]')

_NAMES: Final = {
    PORTRAIT: ("portrait", "vertical", "hochformat", "hoch"),
    LANDSCAPE: ("landscape", "horizontal", "querformat", "quer"),
}
_RATIOS: Final = {
    f"{width}{by}{height}": ratio
    for by in (":", "x", "\N{MULTIPLICATION SIGN}", "/")
    for width, height, ratio in (("9", "16", PORTRAIT), ("16", "9", LANDSCAPE))
}
ORIENTATIONS: Final = (
    {"": PORTRAIT} | {name: ratio for ratio, names in _NAMES.items() for name in names} | _RATIOS
)
NAMED_RATIOS: Final = {
    text: ratio
    for spelt, ratio in _RATIOS.items()
    for name in _NAMES[ratio]
    for text in (f"{name}{spelt}", f"{spelt}{name}")
}
"""An orientation with its ratio: ``Portrait (9:16)``, ``16:9 - landscape``."""
BESIDE: Final = "()[]-,|\u2013\u2014"
"""Signs around the two."""
_NO_SIGNS: Final = str.maketrans("", "", BESIDE)
# A spreadsheet takes "16:9" for nine past four in the afternoon. Only two ratios exist, so that
# such a time can mean nothing else.
MORNING = re.compile(r"0?9:16(?::00)?(?:am)?")
AFTERNOON = re.compile(r"16:0?9(?::00)?|0?4:09(?::00)?pm")
# The same times as fractions of a day, and as YAML 1.1 counts them (in sixties).
_MANGLED = re.compile(r"0?[.,](?:67|38)\d*|969|556")

# Three digits behind a sign may be thousands: 10.000.
_NAUGHT = r"(?:[.,](?:0{1,2}|0{4,}))?"
_SECONDS = (
    r"(?:s|secs?|seconds?|secondes?|secondi|seg|segundos?|sek|sekunden?|sekund)\.?"
    r"|\"|''|\u2032\u2032"
)


@lru_cache(maxsize=64)
def durations_in_words(durations: tuple[int, ...]) -> re.Pattern[str]:
    """Return a pattern of these durations; 0:15 may be minutes; PT15S is ISO 8601's."""
    return re.compile(
        rf"(?:pt|00?:00?:)?({'|'.join(map(str, durations))}){_NAUGHT}"
        rf"\s*(?:{_SECONDS}|\((?:{_SECONDS})\))?",
        re.ASCII,
    )


DURATION = durations_in_words(MODEL.durations)
DURATIONS: Final = tuple(sorted({seconds for one in MODELS.values() for seconds in one.durations}))
"""Of all models."""
ANY_DURATION = durations_in_words(DURATIONS)

WHOLE = re.compile(rf"([+-]?[0-9]{{1,15}}){_NAUGHT}")
GROUPED = re.compile(r"([+-]?[0-9]{1,3})(?:([ ,.'\u2019])[0-9]{3}(?:\2[0-9]{3})*)")
MONEY = re.compile(r"\$?\s*([0-9]{1,12}(?:\.[0-9]{1,12})?)\s*(?:usd|\$)?")


def _plain(text: str) -> str:
    """Return a text without case, width and outer white space; not a word if it is too long."""
    words = text.strip()
    if len(words) > LONGEST_VALUE:
        return _TOO_LONG
    return unicodedata.normalize("NFKC", words).casefold().strip()


def refuse_formula(text: str) -> None:
    """Raise CellError for what a spreadsheet writes if a formula failed or was not calculated."""
    word = text.strip()
    if word.upper() == UNCALCULATED:
        raise CellError(errors.UNCALCULATED.problem, errors.UNCALCULATED.remedy)
    if word.startswith(WRITTEN):
        raise CellError(
            "this looks like a formula, and its result is not in the file",
            "Save the table with values instead of formulas; if this is a text, write an "
            f"apostrophe before it: '{word.removeprefix(WRITTEN)[:1]}….",
        )
    if len(word) <= LONGEST_FAILED and has_failed(word):
        raise CellError(errors.FAILED.problem, errors.FAILED.remedy)


def has_failed(text: str) -> bool:
    """Return whether a short text is what a program writes where a formula failed."""
    return text[:1] in FAILED_BEGIN and _FAILED.fullmatch(text) is not None


def orientation(text: str) -> str:
    """Parse ``"9:16"`` or ``"16:9"``; empty is 9:16, the provider's default."""
    word = "".join(_plain(text).split())
    if word in ORIENTATIONS:
        return ORIENTATIONS[word]
    if _MANGLED.fullmatch(word):
        raise CellError(
            "not a valid orientation (a spreadsheet probably turned 16:9 or 9:16 into a time)",
            "Write landscape or portrait.",
        )
    if bare := word.translate(_NO_SIGNS):
        word = bare
    if (found := ORIENTATIONS.get(word) or NAMED_RATIOS.get(word)) is not None:
        return found
    if MORNING.fullmatch(word):
        return PORTRAIT
    if AFTERNOON.fullmatch(word):
        return LANDSCAPE
    raise CellError("not a valid orientation", "Write 9:16 (or portrait) or 16:9 (or landscape).")


def duration(text: str, durations: tuple[int, ...] = MODEL.durations) -> int:
    """Parse one of some durations, in seconds; empty is the first."""
    word = _plain(text)
    if not word:
        return durations[0]
    match = durations_in_words(durations).fullmatch(word)
    if match is None:
        seconds = " or ".join(map(str, durations))
        raise CellError("unsupported duration", f"Write {seconds} (seconds).")
    return int(match[1])


def count(text: str) -> int:
    """Parse how many variants are wanted, 1 to 1000; empty is 1."""
    word = _plain(text)
    if not word:
        return 1
    number = whole(word)
    if number is None or not 1 <= number <= MOST_VARIANTS:
        raise CellError(
            "not a valid number of variants", f"Write a whole number from 1 to {MOST_VARIANTS}."
        )
    return number


def priority(text: str) -> int:
    """Parse a priority, a whole number, higher runs first; empty is 0."""
    word = _plain(text)
    if not word:
        return 0
    number = whole(word)
    if number is None or abs(number) > HIGHEST_PRIORITY:
        raise CellError(
            "not a valid priority",
            f"Write a whole number from -{HIGHEST_PRIORITY} to {HIGHEST_PRIORITY}; "
            "higher runs first.",
        )
    return number


def whole(word: str) -> int | None:
    """Parse a whole number, with or without thousands separators; None if it is not one.

    Raise CellError if it may be thousands or a fraction: ``1.000`` is a thousand in half of the
    world.
    """
    grouped = GROUPED.fullmatch(word)
    if grouped is None:
        match = WHOLE.fullmatch(word)
        return None if match is None else int(match[1])
    sign, digits = grouped[2], word.replace(grouped[2], "")
    if sign in ".," and word.count(sign) == 1:
        raise CellError(
            f"this may be {int(digits)}, or {int(grouped[1])} with a fraction",
            f"Write {int(digits)} without a thousands separator, or {int(grouped[1])}.",
        )
    return int(digits)


def prompt(text: str) -> str:
    """Parse a prompt: as written, without outer white space; line ends become LF."""
    words = text.strip()
    if "\r" in words:
        words = words.replace("\r\n", "\n").replace("\r", "\n")
    if len(words) > LONGEST_PROMPT:
        raise CellError(
            f"the prompt has {len(words)} characters, more than {LONGEST_PROMPT}",
            "Shorten it.",
        )
    if CONTROL.search(words):
        raise CellError("the prompt has control characters", "Remove them.")
    # Zero-width characters are not white space to Python, and yet nothing to see.
    if not words[:1].isalnum() and not any(
        sign.isprintable() and not sign.isspace() for sign in words
    ):
        raise CellError("the prompt is empty", _WRITE)
    if says_nothing(words):
        raise CellError("the prompt is only a placeholder or punctuation", _WRITE)
    return words


def says_nothing(words: str) -> bool:
    """Return whether a text (without outer white space) is only a placeholder.

    That is a word like ``n/a`` or ``TBD``, or only punctuation: a dash, or the question marks that
    a program wrote for letters of another script. Emoji do count as text.
    """
    if len(words) <= LONGEST_NOTHING and words.casefold().strip(_SIGNS) in _NOTHING:
        return True
    if words[:1].isalnum():
        return False
    return all(
        unicodedata.category(character)[0] in "PZC" or character in f"\n{_LOST}"
        for character in words
    )


def row_id(text: str) -> str | None:
    """Parse a row's own id; empty is None."""
    words = _name(text, "id")
    if words is not None and words.startswith(("-", "#")):
        raise CellError(
            f"an id can't begin with {words[0]!r}",
            "Begin it with a letter or a digit, so that commands can take it as an argument.",
        )
    return words


def campaign(text: str) -> str | None:
    """Parse a campaign's name; empty is None."""
    return _name(text, "campaign's name")


def batch(text: str) -> str | None:
    """Parse a batch's name; empty is None."""
    return _name(text, "batch's name")


def _name(text: str, what: str) -> str | None:
    words = text.strip()
    if len(words) > LONGEST_NAME:
        raise CellError(f"the {what} is longer than {LONGEST_NAME} characters", "Shorten it.")
    if CONTROL_OR_LINE.search(words):
        raise CellError(
            f"the {what} has a line break or control characters", "Write it on one line."
        )
    return words or None


def callback_url(text: str) -> str | None:
    """Parse the HTTPS address at which the provider may announce the end; empty is None."""
    words = text.strip()
    if not words:
        return None
    check_url(words, ("https",))
    return words


def check_url(text: str, schemes: tuple[str, ...]) -> None:
    """Check a whole web address: scheme, host, length and characters.

    Raises:
        CellError: another scheme, no host, too long, or with characters that addresses don't have.
    """
    example = f"Write a full address that begins with {' or '.join(f'{s}://' for s in schemes)}."
    if len(text) > LONGEST_URL:
        raise CellError(f"the address is longer than {LONGEST_URL} characters", "Shorten it.")
    if _NOT_IN_A_URL.search(text):
        raise CellError("not a valid web address: it contains invalid characters", example)
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port  # a port out of range is found only by asking
    except ValueError as error:
        raise CellError(f"not a valid web address: {error}", example) from error
    if parts.scheme.lower() not in schemes or not host:
        raise CellError("not a usable web address", example)


def money(text: str) -> Decimal:
    """Parse an amount in USD, exactly as written; never through a float."""
    match = MONEY.fullmatch(_plain(text))
    if match is None or Decimal(match[1]) > LARGEST_USD:
        raise CellError(
            "not a valid amount of money", "Write USD with a decimal point, like 12.50."
        )
    return Decimal(match[1])
