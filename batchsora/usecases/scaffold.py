"""The files of a new folder: a commented configuration and a first manifest."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from batchsora.config import FILE, KEYS
from batchsora.option_kinds import Kind, Option
from batchsora.settings import SettingsError

MANIFEST: Final = "prompts.csv"

HEAD: Final = """\
# The configuration of batchsora for this folder. Remove the '#' from a line to set it.
#
# A flag overrides the environment, that the manifest, and that this file; 'batchsora doctor'
# shows the effective settings and their sources. Every key is the option of the same name:
# 'batchsora run --help' explains each. Never put a token here: 'batchsora login'.
# Budgets are what a batch, or a database, starts with; this file never raises a kept budget.
"""
TAIL: Final = """
# A table applies to one command only:
# [plan]
# rate = 2
"""
LINE: Final = 100
"""Characters of a heading."""


def configuration(keys: Mapping[str, Option] = KEYS) -> str:
    """Write a configuration in which every key is commented out."""
    parts = [HEAD]
    everywhere = "Locations"
    titles = {key: everywhere if one.shared is None else one.group for key, one in keys.items()}
    for title in dict.fromkeys(titles.values()):
        parts.append(f"\n# --- {title} ".ljust(LINE, "-") + "\n\n")
        parts += [
            f"# {one.help}{_choices(one)}\n# {key} = {_example(one)}\n"
            for key, one in keys.items()
            if titles[key] == title
        ]
    return "".join([*parts, TAIL])


def _choices(option: Option) -> str:
    return f" One of {', '.join(option.choices)}." if option.choices else ""


def _example(option: Option) -> str:
    """Return a value for the file: an example, or the default."""
    default = option.shown_default if option.default is None else option.default
    if option.example:
        return option.example
    if option.kind in (Kind.TEXT, Kind.PATH):
        return f'"{default}"'
    return str(default).lower() if isinstance(default, bool) else f"{float(default):g}"


ROWS: Final = """\
id,prompt,orientation,duration,campaign
paper-boat,"A paper boat drifts down a rain gutter past petals, soft morning light",9:16,10,spring
lighthouse,"Evening at the lighthouse: its beam sweeps across a calm sea, quiet",16:9,10,summer
teapot,"Steam rises from a teapot and forms a leaf, rain runs down the window",9:16,10,autumn
"""


@dataclass(frozen=True, slots=True)
class Begun:
    """What was written, and what was already there and is unchanged."""

    written: list[Path]
    kept: list[Path]


def begin(folder: Path) -> Begun:
    """Write the first files of a folder, never over others; raise a SettingsError if it fails."""
    begun = Begun([], [])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in ((folder / FILE, configuration()), (folder / MANIFEST, ROWS)):
            try:
                with path.open("x", encoding="utf-8", newline="") as file:
                    file.write(text)
            except FileExistsError:
                begun.kept.append(path)
            else:
                begun.written.append(path)
    except OSError as error:
        raise SettingsError(
            f"nothing can be written in {folder} ({os.strerror(error.errno or 0)}); name another "
            "folder: batchsora init FOLDER"
        ) from error
    return begun
