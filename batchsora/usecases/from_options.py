"""What the parts of the application take from :class:`~batchsora.options.RunOptions`."""

import hashlib
import heapq
import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import fields, replace
from itertools import islice
from pathlib import Path

from batchsora.download import DownloadPolicy
from batchsora.manifest.raw import Reading
from batchsora.options import ReadingOptions, RunOptions
from batchsora.presentation.kept_words import KeptWords
from batchsora.settings import SettingsError
from batchsora.usecases.load import LoadOptions
from batchsora.usecases.manifest_options import Source
from jobs.model.ledger import Refunds
from jobs.model.money import cap_micros, to_micros
from jobs.model.retry import RetryPolicy
from jobs.ports.control import Terms
from jobs.ports.loading import OnChange
from jobs.runtime.run_context import RunPolicy

_CAPS = {
    "budget": "batch",
    "day_budget": "day",
    "max_price": "max_price",
    "min_balance": "min_balance",
}


Pick = Callable[[Iterable[int]], frozenset[int]]
"""From the numbers of all rows, which are ascending and unique, to those that are meant."""


def pick_of(options: RunOptions) -> Pick | None:
    """Return which rows are meant; None: all.

    The same seed always picks the same rows, so that a run can be resumed.
    """

    def chance(row: int) -> bytes:
        return hashlib.blake2b(f"{options.seed}:{row}".encode(), digest_size=8).digest()

    def pick(rows: Iterable[int]) -> frozenset[int]:
        if options.first is not None:
            return frozenset(islice(rows, options.first))
        return frozenset(heapq.nsmallest(options.sample or 0, rows, key=chance))

    return None if options.first is None and options.sample is None else pick


def run_policy(options: RunOptions) -> RunPolicy:
    """Return the policy of the engine; on the sandbox time runs faster, and patience is shorter."""
    return RunPolicy(
        max_in_flight=options.max_in_flight,
        rate=options.rate,
        poll_interval=options.poll_interval or (0.25 if options.sandbox else 5.0),
        generation_timeout=options.generation_timeout,
        send_patience=min(10.0, max(2.0, options.grace / 18)),  # no use of more than the grace
        grace=options.grace,
        wait_for_funds=options.wait_for_funds,
        words=KeptWords(),
        retry=RetryPolicy(options.retries, base=1.0 if options.sandbox else 30.0),
        doubts_most=options.doubts_most,
    )


def download_policy(
    options: RunOptions,
    folder: Path,
    *,
    private_files: bool,
    own: bool = True,
    flat: bool = False,
) -> DownloadPolicy:
    """Return how files are downloaded.

    Args:
        private_files: the API is on this machine, so its files may be too.
        own: the database is known to be one's own.
        flat: without a folder for each batch.
    """
    private = options.allow_private_downloads or private_files
    rate = options.download_rate or 0
    return DownloadPolicy(folder, allow_private=private, flat=flat, rate=rate, own=own)


def check_folder(options: RunOptions) -> None:
    """Raise a SettingsError if no video can be saved where it is wanted: before any is bought."""
    if options.folder is None:
        return
    wanted, trouble = options.folder.absolute(), ""
    try:
        there = next(path for path in (wanted, *wanted.parents) if path.exists())
        if not there.is_dir():
            trouble = f"{there} is not a folder"
        elif not os.access(there, os.W_OK):
            trouble = f"no permission to write in {there}"
    except OSError as error:  # a name that is too long, a folder that can't be entered
        trouble = os.strerror(error.errno or 0)
    if trouble:
        raise SettingsError(
            f"videos can't be saved in {options.folder}: {trouble}. Nothing was bought; choose "
            "another folder with --download"
        )


def terms_of(options: RunOptions, begin: Collection[str] = ()) -> Terms:
    """Return what may be spent; ``begin``: options from the configuration file, for new batches."""
    said: dict[str, int] = {}
    begun: dict[str, int] = {}
    for name, cap in _CAPS.items():
        if (usd := getattr(options, name)) is not None:
            micros = to_micros(usd) if cap == "min_balance" else cap_micros(usd)
            (begun if name in begin else said)[cap] = micros
    campaigns = {name: cap_micros(usd) for name, usd in options.campaign_budgets.items()}
    return Terms(
        batch=said.get("batch"),
        campaigns=campaigns,
        checked=list(campaigns),
        day=said.get("day"),
        max_price=said.get("max_price"),
        floor=said.get("min_balance"),
        time_zone=options.time_zone,
        refunds=None if options.refunds is None else Refunds(options.refunds),
        begin=begun,
    )


def load_options(options: RunOptions, *, quiet: bool = False) -> LoadOptions:
    """Return how a manifest is loaded."""
    return LoadOptions(
        name=options.name,
        skip_invalid=options.skip_invalid,
        allow_unknown=options.allow_unknown,
        on_change=OnChange(options.on_change),
        quiet=quiet,
    )


def reading_of(options: ReadingOptions) -> Reading:
    """Return how a manifest is read, as readers take it."""
    defaults = dict(options.defaults)
    if options.prompt is not None:
        defaults["prompt"] = options.prompt
    names = {one.name for one in fields(Reading)}
    said = {name: value for name, value in vars(options).items() if name in names}
    return Reading(**said | {"defaults": defaults})


def source_of(path: Path, options: ReadingOptions, sha256: str | None = None) -> Source:
    """Return a manifest and how it is read; ``sha256``: the only content that may be loaded."""
    images = None if options.images is None else os.path.realpath(options.images)
    return Source(
        path,
        replace(reading_of(options), images=images),
        allow_outside=options.allow_outside,
        fit_images=options.fit_images,
        sha256=sha256,
    )
