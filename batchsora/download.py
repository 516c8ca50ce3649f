"""Download the files of completed jobs, in parallel, during a run or afterwards.

A download that fails never makes a job failed and never buys it again: the file stays wanted. It is
tried again automatically, a few times soon and then slowly during the run, once more at its end,
and by every later run or ``batchsora download``.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import httpx

from batchsora.fetch import Fetched, FetchError, fetch_video
from batchsora.fetch.pace import Pace
from batchsora.names import folded, safe_name
from batchsora.run_result import DownloadReport
from jobs.model.clock import Clock
from jobs.model.families import family_of
from jobs.model.files import refuse_foreign_link, refuse_link
from jobs.model.provider import Provider, ProviderError, ThrottledError
from jobs.model.retry import full_jitter
from jobs.ports.loading import LoadStore, Place, WantedFile
from jobs.runtime.provider_health import ProviderHealth

RENEWAL_PAGES: Final = 3
"""Pages of the account's list that are read for one address: its newest generations."""


async def fresh_address(provider: Provider, generation_id: str) -> str | None:
    """Get a fresh address of a file, from its generation or the list; None if there is none.

    Raises:
        ProviderError: the generation can't be read, and the list does not have it.
    """
    try:
        found = await provider.generation(generation_id)
    except ThrottledError:
        raise  # what asks us to slow down is not asked more
    except ProviderError:
        listed = await _listed(provider, generation_id)
        if listed is None:
            raise
        return listed
    return found.video_url or await _listed(provider, generation_id)


async def _listed(provider: Provider, generation_id: str) -> str | None:
    """Look for an address in the newest pages of the list; None if it is not there."""
    offset = 0
    for _ in range(RENEWAL_PAGES):
        try:
            page = await provider.generations(family_of(generation_id), provider.list_limit, offset)
        except ProviderError:
            return None
        for entry in page:
            if entry.id == generation_id and entry.video_url:
                return entry.video_url
        if not page:
            return None
        offset += len(page)
    return None


log = logging.getLogger(__name__)

NAP = 1.0
"""Seconds between two looks for newly completed jobs."""

PAGE = 50
"""Wanted files that are read at a time: a few more than are fetched at a time."""

PAGES = 20
"""Pages of one look: passing by a million files that can't be had is not all that a run does."""


SOON = 2.0, 60.0
"""Seconds before the next of the first tries: the first delay, and the longest."""

SLOW = 120.0, 1800.0
"""Seconds before a later try, once those are used up: the shortest delay, and the longest."""


@dataclass(frozen=True, slots=True)
class DownloadPolicy:
    """How files are fetched.

    Attributes:
        folder: has a folder for each batch, unless ``flat``.
        parallel: downloads at the same time.
        tries: of one file soon after each other; more follow slowly while a run lasts.
        allow_private: accept files from loopback and private addresses, as the sandbox's are.
        rate: bytes per second, for all downloads together; 0: no limit.
        own: the database is known to be one's own, so a file at the path in it was left there by a
            crash; else no existing file is overwritten.
    """

    folder: Path
    parallel: int = 4
    tries: int = 4
    allow_private: bool = False
    flat: bool = False
    rate: int = 0
    own: bool = True


@dataclass(eq=False)
class Downloader:
    """Fetches wanted files until told that no more will come.

    Attributes:
        provider: asked for a fresh address if one does not lead to the file.
        http: a client without the token: that goes to the API's origin alone.
        checkpoint: called at ``file-fetched`` and ``file-written``.
        names: names files in their batch's folder; None: by the row's key.
    """

    files: LoadStore
    provider: Provider
    http: httpx.AsyncClient
    policy: DownloadPolicy
    clock: Clock
    chance: random.Random
    checkpoint: Callable[[str], None]
    names: Callable[[WantedFile], PurePosixPath | None] = lambda _: None

    def __post_init__(self) -> None:
        self.report = DownloadReport()
        self._tries: dict[int, int] = {}
        self._not_before: dict[int, float] = {}
        self._renewed: dict[int, str] = {}
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self._bell = ProviderHealth(self.clock, self.chance)
        self._pace = Pace(self.policy.rate, self.clock) if self.policy.rate else None
        self._aimed: dict[int, str] = {}  # where files under way will be, as disks compare them
        self._after: Place = (0, 0)
        self._left = False
        self._last = False

    def finish(self) -> None:
        """Let :meth:`run` end once the files wanted by then are fetched or have finally failed.

        Those that had failed get one last try.
        """
        self._last = True
        for attempt_id, tries in self._tries.items():
            if tries >= self.policy.tries:
                self._tries[attempt_id] = self.policy.tries - 1
                self._not_before.pop(attempt_id, None)
        self._begin_pass()  # the one under way may have passed by what was completed since
        self._bell.wake()

    async def run(
        self, batch_ids: Callable[[], Sequence[int]], keys: Sequence[str] = ()
    ) -> DownloadReport:
        """Fetch until told to finish and every file is here or has failed too often.

        Args:
            batch_ids: whose files; called again and again, for a run may get more to serve.
            keys: only jobs of these keys, if any are given.
        """
        try:
            while True:
                last_round = self._last
                left = self._start(batch_ids(), keys)
                if last_round and not left and not self._under_way:
                    return self.report
                await self._bell.pause(NAP)
                self._reap()
        finally:
            for task in self._under_way.values():
                task.cancel()
            await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    def _start(self, batch_ids: Sequence[int], keys: Sequence[str]) -> bool:
        """Start what may start from where the last look ended; return whether any is left."""
        now = self.clock.monotonic()
        for _ in range(PAGES):
            wanted = self.files.wanted_files(batch_ids, PAGE, after=self._after, keys=keys)
            for item in wanted:
                if len(self._under_way) >= self.policy.parallel:
                    return True
                self._after = item.place
                if self._last and self._tries.get(item.attempt_id, 0) >= self.policy.tries:
                    continue
                self._left = True
                due = self._not_before.get(item.attempt_id, 0.0) <= now
                if due and item.attempt_id not in self._under_way:
                    task = asyncio.create_task(self._fetch(item), name=f"download {item.key}")
                    self._under_way[item.attempt_id] = task
            if len(wanted) < PAGE:
                return self._begin_pass()
        return True

    def _begin_pass(self) -> bool:
        """Start over with the first wanted file; return whether any was still to be tried."""
        left = self._left
        self._after, self._left = (0, 0), False
        return left

    def _reap(self) -> None:
        for attempt_id, task in list(self._under_way.items()):
            if task.done():
                del self._under_way[attempt_id]
                task.result()  # a bug must be seen

    async def _fetch(self, item: WantedFile) -> None:
        target = self._target(item)
        try:
            self._refuse_links(target.parent)
            self._aimed[item.attempt_id] = folded(str(target))
            await self.files.plan_file(item, str(target))
            fetched = await self._get(item, target)
            self.checkpoint("file-fetched")
            await self.files.record_file(
                item, str(fetched.path), fetched.size, fetched.sha256, self.clock.now()
            )
            self.checkpoint("file-written")
            self.report.fetched += 1
            self.report.failed.pop(item.key, None)
            for kept in (self._tries, self._not_before, self._renewed):
                kept.pop(item.attempt_id, None)
        except (FetchError, ProviderError, OSError) as error:
            await self._failed(item, str(error))
        finally:
            self._aimed.pop(item.attempt_id, None)
            self._bell.wake()

    async def _get(self, item: WantedFile, target: Path) -> Fetched:
        target.parent.mkdir(parents=True, exist_ok=True)
        url = self._renewed.get(item.attempt_id, item.video_url)
        try:
            return await self._fetched(url, target)
        except FetchError as error:
            # what may pass by itself is waited for first; whatever happens again is not
            if not error.expired and not self._tries.get(item.attempt_id):
                raise
            url = await self._fresh(item, url, error)
        self._renewed[item.attempt_id] = url
        return await self._fetched(url, target)

    async def _fresh(self, item: WantedFile, old: str, error: FetchError) -> str:
        """Get another address than the old one; raise a FetchError if there is none."""
        try:
            fresh = await fresh_address(self.provider, item.generation_id)
        except ProviderError as problem:
            raise FetchError(f"{error}; asking the API for a new one failed: {problem}") from error
        if fresh is None:
            raise FetchError(f"{error}; the API gave no new one") from error
        if fresh == old:
            raise error
        return fresh

    async def _fetched(self, url: str, target: Path) -> Fetched:
        private = self.policy.allow_private
        return await fetch_video(self.http, url, target, allow_private=private, pace=self._pace)

    async def _failed(self, item: WantedFile, message: str) -> None:
        tries = self._tries.get(item.attempt_id, 0)
        self._tries[item.attempt_id] = tries + 1
        self._not_before[item.attempt_id] = self.clock.monotonic() + self._delay(tries)
        self.report.failed[item.key] = message
        log.info("the file of %r could not be downloaded: %s", item.key, message)
        await self.files.record_file_error(item, message)

    def _delay(self, tries: int) -> float:
        """Return the random seconds before the next try of a file that failed once more."""
        slow = tries + 1 - self.policy.tries
        if slow < 0:
            return full_jitter(*SOON, tries, self.chance)
        shortest, longest = SLOW
        return shortest + full_jitter(shortest, longest - shortest, slow, self.chance)

    def _refuse_links(self, folder: Path) -> None:
        """Raise an OSError if the folder is a link, or in a folder that another user made."""
        refuse_foreign_link(self.policy.folder)
        if self.policy.flat:
            return
        top = self.policy.folder.absolute()
        for one in (folder, *folder.parents):
            if not one.is_relative_to(top) or one == top:
                break
            refuse_link(one, "move it away, or name another folder with --download FOLDER")

    def _target(self, item: WantedFile) -> Path:
        """Choose the file: named by its row, never somebody else's file."""
        folder = self.policy.folder.absolute()
        name = None
        if not self.policy.flat:
            folder /= safe_name(item.batch)
            name = self.names(item)
        stem = folder / (name or safe_name(item.key))
        plain = stem.with_name(f"{stem.name}.mp4")
        taken = folded(str(plain)) in self._aimed.values()
        if not taken and plain.exists():
            # what a crash left there is ours; another row's may have come since it was planned
            ours = self.policy.own and item.path == str(plain)
            taken = not ours or self.files.is_of_another(item, str(plain))
        return stem.with_name(f"{stem.name}.{item.attempt_id}.mp4") if taken else plain
