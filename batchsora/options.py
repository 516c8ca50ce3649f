"""Every option of a run, once: type, range, default, unit, help, and where else it can be set.

Flags (:mod:`batchsora.cli.flags`), environment variables, keys of the configuration file
(:mod:`batchsora.config`), Python keywords (:mod:`batchsora.keywords`) and fields of the page are
made from these fields. ``--help`` and completion read this module, so it imports nothing heavy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypedDict

from batchsora.option_kinds import (
    Found,
    Group,
    Kind,
    Switch,
    delimiter,
    encoding,
    file_name,
    option,
    time_zone,
)

Shared = Mapping[str, Any]
_SAME: Final[Shared] = MappingProxyType({})
_GLOBAL: Final[Shared] = {"group": Group.OTHER, "shared": None}
_PYTHON: Final[Shared] = {"keyword": True}
_MONEY: Final[Shared] = {"group": Group.MONEY}
_USD: Final[Shared] = {**_MONEY, **_PYTHON, "unit": "USD", "found": Found.COUNTS}
_PACE: Final[Shared] = {**_PYTHON, "group": Group.PACE, "found": Found.COUNTS}
_SECONDS: Final[Shared] = {**_PACE, "unit": "seconds", "least": 0.05, "most": 7 * 86400}
_FILES: Final[Shared] = {"group": Group.FILES}
_READING: Final[Shared] = {"group": Group.READING, "on": {"plan": _SAME}}
_SPOKEN: Final[Shared] = {**_READING, **_PYTHON}
_VIDEOS: Final = Path("videos")
_REHEARSAL: Final[Shared] = {"help": "The rehearsal of 'run --sandbox', instead of the real runs."}

# One option after the other, as in a table:
# fmt: off


@dataclass(frozen=True, kw_only=True)
class GlobalOptions:
    """What every command takes, before or after its name."""

    db: str | None = option(
        Kind.PATH, "The database (BATCHSORA_DB; batchsora.db).", metavar="PATH|URL",
        variable="BATCHSORA_DB", found=Found.INSIDE, example='"batchsora.db"', **_GLOBAL)
    base_url: str | None = option(
        Kind.TEXT, "The API's address (BATCHSORA_BASE_URL).", metavar="URL",
        variable="BATCHSORA_BASE_URL", found=Found.LOGIN,
        example='"https://platform.runblob.io"', **_GLOBAL)
    token_file: str | None = option(
        Kind.PATH, "File with the token, if it is not in RUNBLOB_API_KEY.", path="file",
        metavar="FILE", variable="BATCHSORA_TOKEN_FILE", found=Found.ACCOUNT,
        example='"~/.config/batchsora/token"', **_GLOBAL)
    config: str | None = option(
        Kind.PATH, "The configuration (BATCHSORA_CONFIG; batchsora.toml).", path="file",
        metavar="FILE", variable="BATCHSORA_CONFIG")
    log_file: str | None = option(
        Kind.PATH, "Append the whole log, as JSON lines.", path="file",
        metavar="FILE", variable="BATCHSORA_LOG_FILE")
    json: bool = option(Kind.FLAG, "Print one JSON document on stdout.", False)
    verbose: bool = option(Kind.FLAG, "Print more details on stderr.", False, short="v")
    quiet: bool = option(Kind.FLAG, "Print only warnings, errors and results.", False, short="q")


@dataclass(frozen=True, kw_only=True)
class ReadingOptions:
    """How to read a manifest, if its file does not say so itself."""

    sheet: str | None = option(
        Kind.TEXT, "Sheet of a workbook (default: the first).", metavar="NAME", **_SPOKEN)
    header_row: int | None = option(
        Kind.WHOLE, "Row of a sheet's column names, if it is not the first.",
        least=1, most=1_048_576, metavar="ROW", **_READING)
    include_hidden: bool | None = option(
        Kind.FLAG, "Also read the hidden rows of a sheet.", negatable=True, **_SPOKEN)
    ignore_pictures: bool | None = option(
        Kind.FLAG, "Ignore pictures placed over the cells of a row.", negatable=True, **_SPOKEN)
    embedded_images: bool | None = option(
        Kind.FLAG, "Use the pictures over or in a row's cells as its image.",
        negatable=True, **_SPOKEN)
    columns: Mapping[str, str] = option(
        Kind.PAIRS, "Meaning of a column, as 'What you see=prompt'; 'Size=' ignores it.",
        flag="map", metavar="HEADER=COLUMN", **_SPOKEN)
    defaults: Mapping[str, str] = option(
        Kind.PAIRS, "Value for empty cells, as duration=15.",
        flag="default", dest="column_defaults", metavar="COLUMN=VALUE", **_SPOKEN)
    prompt: str | None = option(
        Kind.TEXT, "Same as --default prompt=…; useful for a folder of pictures.", **_READING)
    delimiter: str | None = option(
        Kind.TEXT, "Delimiter of a text table, if it can't be detected.",
        metavar="CHAR", check=delimiter, **_SPOKEN)
    encoding: str | None = option(
        Kind.TEXT, "Encoding of a file that is not UTF-8.",
        metavar="NAME", check=encoding, **_SPOKEN)
    images: str | None = option(
        Kind.PATH, "Another folder to look for pictures in.",
        metavar="DIR", path="existing folder", **_READING)
    fit_images: bool | None = option(
        Kind.FLAG, "Convert and shrink pictures that would be refused.",
        negatable=True, **_SPOKEN)
    allow_outside: bool = option(
        Kind.FLAG, "Accept images outside the manifest's folder.", False, **_SPOKEN)
    file_name: str | None = option(
        Kind.TEXT, "Names of the files, as '{campaign}/{id}-{prompt:40}' (default: {id}).",
        metavar="PATTERN", check=file_name, found=Found.COUNTS, shared=("run", "plan"),
        example='"{id}-{prompt:40}"', **{**_SPOKEN, "group": Group.FILES})


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The options of a run, in the order in which the keys are listed.

    Amounts are in USD, durations in seconds; None: not given.
    """

    name: str | None = option(
        Kind.TEXT, "Name of the batch (default: the manifest's own, or its file's).",
        on={"plan": _SAME})
    batch: str | None = option(
        Kind.TEXT, "Resume this batch; without it and MANIFEST: every unfinished one.",
        completes="batches",
        on={"wait": {"help": "Only this batch."}, "download": {"help": "Only this batch."},
            "resolve": {"help": "The job's batch, where several have that key."}})
    budget: Decimal | None = option(
        Kind.USD, "Budget of the batch, kept with it.",
        example="6.00", **{**_USD, "found": Found.CONSENT},
        on={"plan": {"help": "Show how far this budget of the batch goes."},
            "generate": {"help": "Budget of single videos (the batch 'adhoc'), kept with it."}})
    campaign_budgets: Mapping[str, Decimal] = option(
        Kind.PAIRS, "Budget of a campaign; can be repeated.",
        flag="cap", dest="campaigns", metavar="CAMPAIGN=USD", **_MONEY, **_PYTHON)
    day_budget: Decimal | None = option(
        Kind.USD, "Daily budget of all batches together.", example="20.00", **_USD)
    time_zone: str | None = option(
        Kind.TEXT, "Time zone of the daily budget.", metavar="ZONE", check=time_zone,
        shown_default="UTC", found=Found.LIMITS, example='"Europe/Berlin"', **_MONEY)
    max_price: Decimal | None = option(
        Kind.USD, "Highest price to pay for one video.",
        shared=("run", "generate"), example="0.15", on={"generate": _SAME}, **_USD)
    min_balance: Decimal | None = option(
        Kind.USD, "Minimum balance to leave in the account.",
        shared=("run", "generate"), example="1.00", on={"generate": _SAME}, **_USD)
    refunds: str | None = option(
        Kind.TEXT, "Which failed videos the provider refunds.",
        choices=("none", "system", "all"), shown_default="none", found=Found.LIMITS, **_MONEY)
    wait_for_funds: bool = option(
        Kind.FLAG, "Wait for a top-up instead of ending when funds run out.", False,
        found=Found.COUNTS, **_MONEY, **_PYTHON)
    max_in_flight: int = option(
        Kind.WHOLE, "Maximum number of unfinished videos.", 16,
        least=1, most=100_000, shared=("run", "plan"), on={"plan": _SAME}, **_PACE)
    rate: float = option(
        Kind.NUMBER, "Submissions per second (0: no limit).", 5.0,
        least=0, most=10_000, shared=("run", "plan"), on={"plan": {"most": None}}, **_PACE)
    poll_interval: float | None = option(
        Kind.NUMBER, "Seconds between polls.", shown_default="5",
        shared=("run", "generate", "wait"), **_SECONDS,
        on={"generate": _SAME, "wait": {
            "help": "Seconds between polls, if no run polls already.", "most": 86400}})
    request_timeout: float = option(
        Kind.NUMBER, "Timeout of a request, in seconds.", 60.0, **_SECONDS)
    generation_timeout: float = option(
        Kind.NUMBER, "Seconds after which a video counts as overdue.", 1800.0, **_SECONDS)
    grace: float = option(
        Kind.NUMBER, "Grace period: seconds to look for an unconfirmed submission.", 180.0,
        shared=("run", "generate", "reconcile", "resolve"), **{**_SECONDS, "found": Found.DOUBTS},
        on={"generate": _SAME, "reconcile": _SAME, "resolve": {
            "help": "Grace period: seconds for which a submission may still turn up.",
            "least": 0, "most": None}})
    retries: int = option(
        Kind.WHOLE, "Retries after the provider's own failures.", 2,
        least=0, most=20, **{**_PACE, "found": Found.AGAIN})
    doubts_most: int = option(
        Kind.WHOLE, "Unconfirmed videos of a model without a list (Kling O1, O3) after which no "
        "more of it are bought.", 3, least=1, most=100_000, found=Found.DOUBTS,
        **_MONEY, **_PYTHON)
    callback_base: str | None = option(
        Kind.TEXT, "Public address of 'batchsora web --webhooks', for the API's callbacks.",
        metavar="URL", found=Found.CALLS, example='"https://videos.example"')
    download: Path | None = option(
        Kind.PATH, "Folder for the files (with --sandbox: sandbox-videos).",
        dest="folder", path="folder", shown_default="videos",
        found=Found.INSIDE, shared=("run", "download"), **_FILES, **_PYTHON,
        on={"generate": {"help": "Wait, and download the file into this folder.",
                         "shown_default": ""},
            "wait": {"help": "Download the files into this folder.", "shown_default": ""},
            "download": _SAME,
            "web": {"help": "Folder for the files of runs that are started here."}})
    no_download: bool = option(Kind.FLAG, "Download no files.", False, **_FILES)
    download_rate: int | None = option(
        Kind.RATE, "Bytes per second for all downloads, like 2M or 500K (default: no limit).",
        metavar="RATE", found=Found.COUNTS, example='"2M"',
        shared=("run", "download", "generate"), on={"download": _SAME, "generate": _SAME},
        **_FILES, **_PYTHON)
    allow_private_downloads: bool = option(
        Kind.FLAG, "Accept files from this machine and private networks.", False,
        on={"download": {"dest": "private"}}, **_FILES)
    first: int | None = option(
        Kind.WHOLE, "Only the first N rows.", metavar="N", least=1, **_SPOKEN)
    sample: int | None = option(
        Kind.WHOLE, "Only N random rows; the same ones each time, by the seed.",
        metavar="N", least=1, most=1000, not_with="first", **_SPOKEN)
    seed: int = option(Kind.WHOLE, "Seed of --sample.", 0, **_SPOKEN)
    skip_invalid: bool = option(
        Kind.FLAG, "Skip invalid rows.", False, group=Group.READING, **_PYTHON)
    allow_unknown: bool = option(
        Kind.FLAG, "Accept columns that look misspelled.", False, group=Group.READING)
    on_change: str = option(
        Kind.TEXT, "What to do with rows that were edited after they were paid "
        "for.", "stop", **_MONEY,
        switches=(
            Switch("redo-changed", "redo", "Buy paid rows again if they were edited."),
            Switch("keep-both", "keep", "Treat changed rows without an id as new videos.")))
    on_existing: str = option(
        Kind.TEXT, "What to do with prompts whose videos the account already "
        "has.", "ask", **_MONEY, **_PYTHON,
        switches=(
            Switch("adopt-existing", "adopt", "Use videos that are already paid for, at no cost."),
            Switch("buy-again", "buy", "Buy rows even if their videos are already paid for.")))
    sandbox: bool = option(
        Kind.FLAG, "Use the sandbox on this machine: no money, real files.", False,
        on={"plan": {"help": "Plan a run on the sandbox."}, "generate": _SAME,
            "wait": {"help": "Wait for the sandbox run on this machine."},
            **dict.fromkeys(("download", "resolve", "reconcile", "web"), _REHEARSAL)})
    wait_for_runner: bool = option(
        Kind.FLAG, "Wait until the active run has ended.", False)
    moved: bool = option(
        Kind.FLAG, "Continue with a database last used by another machine or account.", False,
        on={"generate": _SAME})
    manifest_sha256: str | None = option(
        Kind.TEXT, "SHA-256 that the manifest must have.", hidden=True)
    yes: bool = option(
        Kind.FLAG, "Spend without "
        "confirmation.", False, on={"generate": _SAME}, **_MONEY, **_PYTHON)

    @property
    def folder(self) -> Path | None:
        """Return the folder for files; None: no downloads."""
        usual = Path("sandbox-videos") if self.sandbox else _VIDEOS
        return None if self.no_download else self.download or usual


# fmt: on

Usd = Decimal | str | int
"""An amount in US dollars; never a float, which can't say 0.1."""


class RunKeywords(TypedDict, total=False):
    """The options of a run that a Python program may set, as :class:`RunOptions` has them."""

    budget: Usd
    day_budget: Usd
    max_price: Usd
    min_balance: Usd
    campaign_budgets: dict[str, Usd]
    max_in_flight: int
    rate: float
    poll_interval: float
    request_timeout: float
    generation_timeout: float
    grace: float
    retries: int
    doubts_most: int
    wait_for_funds: bool
    download: str | Path | None
    download_rate: str | float
    first: int
    sample: int
    seed: int
    skip_invalid: bool
    on_existing: str
    yes: bool
