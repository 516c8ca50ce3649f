"""What a folder begins with: a commented configuration and a first manifest."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from batchsora.config import FILE
from batchsora.settings import SettingsError

MANIFEST: Final = "prompts.csv"

CONFIGURATION: Final = """\
# The configuration of batchsora for this folder. Take the '#' away from a line to set it.
#
# A flag goes before the environment, that before the manifest, and that before this file;
# 'batchsora doctor' shows what counts, and where it comes from. Every key is the option of the same
# name: 'batchsora run --help' tells about each. A token never stands here: 'batchsora login'.

# Where the jobs are kept.
# db = "batchsora.db"

# Where the API is, and a file with the token instead of the system keyring.
# base-url = "https://platform.runblob.io"
# token-file = "~/.config/batchsora/token"

# --- Money, in US dollars ---------------------------------------------------------------------

# The cap that a batch begins with, when neither --budget nor its manifest says one.
# budget = 6.00
# The highest price to pay for one video, and what the account shall keep, to begin with.
# max-price = 0.15
# min-balance = 1.00
# The cap of each day, over all batches, to begin with, and whose days these are.
# day-budget = 20.00
# time-zone = "Europe/Berlin"
# Failed videos that your account gets its money back for: "none", "system" or "all".
# refunds = "none"
# Wait for money instead of ending without it.
# wait-for-funds = false

# --- Pace and patience, in seconds --------------------------------------------------------------

# Unfinished videos at the same time, and submissions a second (0: no limit).
# max-in-flight = 16
# rate = 5
# poll-interval = 5
# request-timeout = 60
# generation-timeout = 1800
# How long a submission in doubt is looked for.
# grace = 180
# New attempts after the provider's own failures.
# retries = 2
# Where 'batchsora web --webhooks' is reached, so that the API tells when a video is finished.
# callback-base = "https://videos.example"

# --- Files ----------------------------------------------------------------------------------------

# download = "videos"
# Bytes a second for all downloads together; 0: no limit.
# download-rate = "2M"

# A table counts for one command alone:
# [plan]
# rate = 2
"""

ROWS: Final = """\
id,prompt,orientation,duration,campaign
paper-boat,"A paper boat drifts down a rain gutter past petals, soft morning light",9:16,10,spring
lighthouse,"Evening at the lighthouse: its beam sweeps across a calm sea, quiet",16:9,10,summer
teapot,"Steam rises from a teapot and forms a leaf, rain runs down the window",9:16,10,autumn
"""


@dataclass(frozen=True, slots=True)
class Begun:
    """What was written, and what was there already and stays as it is."""

    written: list[Path]
    kept: list[Path]


def begin(folder: Path) -> Begun:
    """Write what a folder begins with; what is there is never overwritten.

    Raises:
        SettingsError: the folder can't be written to.
    """
    begun = Begun([], [])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in ((folder / FILE, CONFIGURATION), (folder / MANIFEST, ROWS)):
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
