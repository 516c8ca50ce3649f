"""The description of an option; :mod:`batchsora.options` has all of them."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final, Literal


class Kind(StrEnum):
    """What an option takes, in the words of a message about the configuration file."""

    TEXT = "a text in quotes"
    PATH = "a path in quotes"
    USD = "an amount in USD, like 6.00"
    NUMBER = "a number"
    WHOLE = "a whole number"
    FLAG = "true or false"
    RATE = 'bytes a second, like "2M" or 500000'
    PAIRS = "texts like NAME=VALUE"


class Group(StrEnum):
    """Headings of ``--help``, in their order."""

    MONEY = "Money"
    PACE = "Pace"
    FILES = "Files"
    READING = "Reading the manifest"
    OTHER = "Other options"


class Found(StrEnum):
    """What a key may do in a configuration file that was merely found, which may be anybody's.

    The value says what the key could do to whoever runs a command in that folder.
    """

    COUNTS = "nothing: it only narrows, paces, waits, or names files within their folder"
    LOGIN = "it gets a token only if 'batchsora login' kept one for it"  # Settings.strange
    INSIDE = "it leads out of the folder"
    CALLS = "it would report your videos to that address"
    ACCOUNT = "it would spend from the account of that token, and show it your prompts"
    CONSENT = "it would be your consent to spend that much"
    LIMITS = "it would let more be spent than your budget says"
    AGAIN = "videos that failed would be bought again more often"
    DOUBTS = "submissions would be given up sooner and bought again"


@dataclass(frozen=True, slots=True)
class Switch:
    """A flag for one value of an option with several."""

    flag: str
    value: str
    help: str

    @property
    def dest(self) -> str:
        """Return click's name of the flag."""
        return self.flag.replace("-", "_")


@dataclass(frozen=True, slots=True)
class Option:
    """An option, wherever it is set.

    Attributes:
        group: heading of ``--help``.
        name: of its field, which is also the Python keyword.
        default: of its field.
        flag: as typed, without dashes; ``""``: there is no flag of this name.
        dest: click's name of the value; an environment variable of this name counts.
        unit: shown in ``--help``.
        metavar: shown instead of the unit.
        shown_default: shown as the default if the field's is None.
        switches: flags for one value each, instead of a flag of its own.
        negatable: there is ``--no-…`` too, and None means that neither was given.
        path: what a path must lead to.
        variable: of the environment, the same for all commands; else ``BATCHSORA_``, the command
            and the flag, as in ``BATCHSORA_RUN_BUDGET`` (:mod:`batchsora.cli`).
        check: returns a text as it is used.
        not_with: another option that excludes this one.
        found: what its configuration key may do in a file that nobody named; None: no such key.
        shared: commands for which the key counts at the top of the file; None: all.
        example: value for the configuration's template, as TOML; ``""``: the default.
        keyword: a Python program may set it.
        on: further commands that take it, and what is different there.
    """

    kind: Kind
    help: str
    group: Group = Group.OTHER
    name: str = ""
    default: Any = None
    flag: str = "?"
    dest: str = ""
    unit: str = ""
    metavar: str = ""
    least: float | None = None
    most: float | None = None
    shown_default: str = ""
    choices: tuple[str, ...] = ()
    switches: tuple[Switch, ...] = ()
    negatable: bool = False
    path: Literal["", "file", "folder", "existing folder"] = ""
    short: str = ""
    variable: str = ""
    completes: Literal["", "batches"] = ""
    check: Callable[[str], str] | None = None
    not_with: str = ""
    found: Found | None = None
    shared: tuple[str, ...] | None = ("run",)
    example: str = ""
    keyword: bool = False
    hidden: bool = False
    on: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def of(self, command: str) -> "Option | None":
        """Return it as a command takes it; None if it does not. ``""`` is every command."""
        if command in self.on:
            return replace(self, **self.on[command])
        return self if command in ("", "run") else None

    def words(self, value: Any) -> list[str]:
        """Return a value as words of a command line."""
        if self.switches:
            return [f"--{one.flag}" for one in self.switches if one.value == value]
        if self.kind is Kind.FLAG:
            return [f"--{'' if value else 'no-'}{self.flag}"]
        if self.kind is Kind.PAIRS:
            return [f"--{self.flag}={name}={text}" for name, text in dict(value).items()]
        return [f"--{self.flag}={value}"]


def option(kind: Kind, text: str, default: Any = None, /, **more: Any) -> Any:
    """Make a field of a model; its arguments are the attributes of :class:`Option`."""
    described = {"option": Option(kind, text, **more)}
    if kind is Kind.PAIRS:
        return field(default_factory=dict, metadata=described)
    return field(default=default, metadata=described)


def options_of(model: type[Any]) -> dict[str, Option]:
    """Return a model's options by the names of their fields."""
    return {one.name: _named(one) for one in fields(model)}


def _named(one: "Field[Any]") -> Option:
    found: Option = one.metadata["option"]
    flag = one.name.replace("_", "-") if found.flag == "?" else found.flag
    default = found.default if one.default is MISSING else one.default
    return replace(found, name=one.name, default=default, flag=flag, dest=found.dest or one.name)


def words_of(options: Any, *, besides: Collection[str] = ()) -> list[str]:
    """Return options as a command line: those that are not at their defaults, and ``besides``."""
    return [
        word
        for name, known in options_of(type(options)).items()
        if (value := getattr(options, name)) != known.default or name in besides
        for word in known.words(value)
    ]


def usd(text: str) -> Decimal:
    """Read an amount in US dollars, with or without a dollar sign.

    Raises:
        ValueError: it is not one, or less than 0.
    """
    try:
        amount = Decimal(text.strip().removeprefix("$"))
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or not 0 <= amount < 10**9:
        raise ValueError(f"{text!r} is not a valid amount in USD; write it like 6.00")
    return amount


def time_zone(name: str) -> str:
    """Check the name of a time zone; raise a ValueError if it is unknown."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415 - most never say one

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone; write it like Europe/Berlin") from None
    return name


def file_name(pattern: str) -> str:
    """Check a pattern of file names; raise a ValueError if it can't name files."""
    from batchsora.file_names import checked  # noqa: PLC0415 - most never say one

    return checked(pattern)


_DELIMITERS: Final = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}


def delimiter(text: str) -> str:
    """Return the one character that a text means; raise a ValueError if it means none."""
    found = _DELIMITERS.get(text.lower(), text)
    if len(found) != 1 or found in '"\r\n\0':
        raise ValueError("use one character, or tab, comma, semicolon or pipe")
    return found


def encoding(name: str) -> str:
    """Check the name of an encoding; raise a ValueError if it is unknown."""
    try:
        "".encode(name or "utf-8")
    except (LookupError, ValueError):
        raise ValueError(
            f"{name!r} is not a known encoding; often it is cp1252 or utf-16"
        ) from None
    return name
