"""The configuration file ``batchsora.toml``: hostile until it is read, and never a place of tokens.

A key at the top applies to the commands that it is meant for (:data:`KEYS`), in a table named as a
command to that one. Types are checked here, values by the options themselves.
"""

import os
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from batchsora.option_kinds import Found, Kind, Option, options_of
from batchsora.options import GlobalOptions, ReadingOptions, RunOptions
from batchsora.settings import SettingsError
from jobs import system

FILE: Final = "batchsora.toml"
MOST_DOTS: Final = 50
"""In a line: tomllib keeps every beginning of a dotted key, so that many take gigabytes."""

LARGEST: Final = 64 * 1024
"""Bytes: far more than all keys with all comments."""

LONGEST_SHOWN: Final = 40
MOST: Final = 10**15
"""No key takes more; a hexadecimal number of megabytes could not even be shown."""


def keys_of(*models: type[Any]) -> dict[str, Option]:
    """Return the options of models that may be in the file, by their keys."""
    known = [option for model in models for option in options_of(model).values()]
    return {option.flag: option for option in known if option.found is not None}


KEYS: Final[Mapping[str, Option]] = keys_of(GlobalOptions, RunOptions, ReadingOptions)
"""Keys of the file: what is worth keeping, and never a consent."""

_SECRET: Final = ("token", "key", "secret", "password", "bearer", "authorization")


@dataclass(frozen=True, slots=True)
class Configuration:
    """A configuration file, understood.

    Attributes:
        named: a person named it; otherwise it was found in the working folder.
        shared: keys at the top.
        tables: keys in a command's table.
    """

    path: Path
    named: bool
    shared: Mapping[str, Any]
    tables: Mapping[str, Mapping[str, Any]]

    def values(self, command: str) -> dict[str, Any]:
        """Return what applies to a command, by key."""
        shared = {
            key: value
            for key, value in self.shared.items()
            if (meant := KEYS[key].shared) is None or command in meant
        }
        return shared | dict(self.tables.get(command, {}))

    def refused(self, command: str, key: str, problem: str) -> SettingsError:
        """Make an error about a value, naming the file."""
        table = f"[{command}] " if key in self.tables.get(command, {}) else ""
        found = _shown(self.values(command)[key])
        return SettingsError(f"{self.path}: {table}{key} = {found}: {problem}")

    def check_found(self, command: str, key: str, *, agreed: bool = False) -> None:
        """Check that a person confirmed a value of this file, where that matters.

        Args:
            key: set by neither flag nor environment.
            agreed: the person has agreed to spend, or no money can be spent.

        Raises:
            SettingsError: nobody named this file, and the key could be used against its reader.
        """
        if self.named:
            return
        found = KEYS[key].found
        if found in (Found.COUNTS, Found.LOGIN) or (found is Found.CONSENT and agreed):
            return
        if found is Found.INSIDE and self._inside(self.values(command)[key]):
            return
        raise self.refused(
            command,
            key,
            f"this file was only found in the folder, and {found}. Nothing was done. If you trust "
            f"the file, use --config {self.path} or set BATCHSORA_CONFIG; or give --{key} "
            "yourself; or remove the line",
        )

    def _inside(self, value: str) -> bool:
        """Check whether a path stays in the folder of this file, through links too."""
        try:
            return "://" not in value and Path(value).resolve().is_relative_to(
                self.path.absolute().parent.resolve()
            )
        except (OSError, RuntimeError):  # links that go round in circles
            return False


def find_configuration(named: str | None, commands: Collection[str]) -> Configuration | None:
    """Read the named configuration, or the one in the working folder; None if there is none.

    Args:
        named: by ``--config`` or ``BATCHSORA_CONFIG``; ``/dev/null``: none at all.
        commands: the names that a table may have.

    Raises:
        SettingsError: it can't be used; the text names file, key, what was found, and the remedy.
    """
    path = Path(named or FILE)
    if named == os.devnull or (not named and not path.exists()):
        return None
    document = _parsed(path, _content(path))
    shared, tables = {}, {}
    for key, value in document.items():
        if isinstance(value, dict) and (key in commands or key not in KEYS):
            if key not in commands:
                raise _unknown(path, f"[{key}]", key, "table", commands)
            tables[key] = {
                inner: _checked(path, f"[{key}] {inner}", inner, kept)
                for inner, kept in value.items()
            }
        else:
            shared[key] = _checked(path, key, key, value)
    return Configuration(path, bool(named), shared, tables)


def _content(path: Path) -> bytes:
    try:
        # a pipe that nobody writes to must not keep us waiting
        with open(system.open_to_read(path, follow=True), "rb") as file:  # noqa: PTH123 - a descriptor
            regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            content = file.read(LARGEST + 1) if regular else b""
    except OSError as error:
        raise SettingsError(
            f"the configuration {path} can't be read ({error.strerror}); fix that, or choose "
            "another one with --config"
        ) from error
    if not regular:
        raise SettingsError(
            f"the configuration {path} is not a regular file; choose one with --config"
        )
    if len(content) > LARGEST:
        raise SettingsError(
            f"the configuration {path} is larger than {LARGEST // 1024} KB; remove what does not "
            "belong to batchsora"
        )
    return content


def _parsed(path: Path, content: bytes) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - 13 ms that only those pay who have such a file

    for number, written in enumerate(content.splitlines(), 1):
        if written.count(b".") > MOST_DOTS:
            raise SettingsError(f"{path}, line {number}: not a valid line of a configuration")
    try:
        return tomllib.loads(content.decode("utf-8-sig"), parse_float=Decimal)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{path}, line {line}: not UTF-8; save it again as UTF-8") from None
    except ArithmeticError:
        raise SettingsError(f"{path} is not valid TOML: a number in it is too large") from None
    except ValueError as error:
        raise SettingsError(
            f"{path} is not valid TOML: {error}. Put texts in quotes; a comment begins with '#'"
        ) from None
    except RecursionError:
        raise SettingsError(
            f"{path} is not a valid configuration: it is nested too deeply"
        ) from None


def _checked(path: Path, where: str, key: str, value: Any) -> Any:
    """Check that a key is known, and its value of the right type."""
    known = KEYS.get(key)
    if known is None:
        if _looks_secret(key):
            raise SettingsError(
                f"{path}: {where}: a token must not be in this file, which is read, copied and "
                "committed like any other. Remove it; 'batchsora login' stores the token in the "
                "system keyring, or use token-file"
            )
        raise _unknown(path, where, key, "key", KEYS)
    if not _fits(known.kind, value):
        raise SettingsError(f"{path}: {where} = {_shown(value)}: must be {known.kind}")
    return os.path.expanduser(value) if known.kind is Kind.PATH else value  # noqa: PTH111 - stays a text


def _looks_secret(key: str) -> bool:
    words = key.lower().replace("_", "-").split("-")
    return any(word.endswith(_SECRET) for word in words)


def _fits(kind: Kind, value: Any) -> bool:
    if isinstance(value, bool) or kind is Kind.FLAG:
        return isinstance(value, bool) and kind is Kind.FLAG
    if isinstance(value, str):
        texts = (Kind.TEXT, Kind.PATH, Kind.USD, Kind.RATE)
        return kind in texts and bool(value) and value.isprintable()
    if isinstance(value, Decimal):
        return kind in (Kind.USD, Kind.NUMBER) and value.is_finite()
    whole = isinstance(value, int) and abs(value) < MOST
    return whole and kind in (Kind.USD, Kind.NUMBER, Kind.WHOLE, Kind.RATE)


def _unknown(path: Path, where: str, name: str, what: str, known: Collection[str]) -> SettingsError:
    import difflib  # noqa: PLC0415 - for a mistake alone

    near = difflib.get_close_matches(name.lower().replace("_", "-")[:80], known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"
    return SettingsError(f"{path}: {_short(where)}: no such {what}; {hint}")


def _shown(value: Any) -> str:
    """Show a value as it may be in the file."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and abs(value) >= MOST:
        return "a number that is too large"
    return _short(repr(value) if isinstance(value, str) else str(value))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"
