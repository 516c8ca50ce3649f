"""What the database knows of a manifest's rows, for a plan: paid, edited, or paid for before."""

from collections import deque
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from batchsora.app.progress import ENDS
from jobs.spec import JobSpec
from jobs.states import LIVE_ATTEMPTS, AttemptState, JobState
from jobs.store.past import Paid

_NEVER_MADE: Final = (AttemptState.REJECTED, AttemptState.VOID)


@dataclass(frozen=True, slots=True)
class Unclear:
    """A row that may be paid for already, as far as it is counted."""

    key: str
    fingerprint: str
    kind: str
    campaign: str | None


@dataclass(slots=True)
class Known:
    """What the database knows of a manifest's rows.

    Attributes:
        settled: by key, whether a row of its batch is bought, on its way, or has failed for good.
        paid: by key, what the manifest asked for when a row at its end was paid for.
        asked: keys of queued rows that were paid for once: they wait for a retry.
        videos: the batch's paid rows, by what they ask for: their keys and attempts.
        elsewhere: what was paid for and is no row's of the batch, by what was asked for.
        found: keys of the rows that :meth:`before` found.
    """

    settled: dict[str, bool] = field(default_factory=dict)
    paid: dict[str, str] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    videos: dict[str, deque[tuple[str, int | None]]] = field(default_factory=dict)
    elsewhere: dict[str, deque[Paid]] = field(default_factory=dict)
    found: set[str] = field(default_factory=set)

    def read(self, jobs: Iterable[Any]) -> None:
        """Take in the rows of the batch, as :func:`jobs.store.views.jobs` lists them."""
        for job in jobs:
            self.settled[job.key] = job.state not in (JobState.QUEUED, JobState.CANCELLED)
            gone = job.state != JobState.COMPLETED and job.attempt_state not in LIVE_ATTEMPTS
            if job.attempt_state in (None, *_NEVER_MADE) or (gone and not job.in_manifest):
                continue
            asked = job.manifest_fingerprint or job.fingerprint
            videos = self.videos.setdefault(asked, deque())
            (videos.appendleft if job.in_manifest else videos.append)((job.key, job.attempt_id))
            if job.charged_micros and job.state == JobState.QUEUED:
                self.asked.add(job.key)
            elif job.charged_micros and job.state in ENDS:
                self.paid[job.key] = asked

    def is_edited(self, row: JobSpec) -> bool:
        """Return whether a row asks for something else than what was paid for."""
        return row.key in self.paid and self.paid[row.key] != row.fingerprint

    def unclear(self, row: JobSpec) -> bool:
        """Return whether only the whole manifest tells if a row is to be bought."""
        if self.done(row.key) or row.key in self.asked or not (self.videos or self.elsewhere):
            return False  # without a fingerprint, which takes its time
        new = row.key not in self.settled and row.fingerprint in self.videos
        return new or row.fingerprint in self.elsewhere

    def recognise(self, rows: Iterable[Unclear], keys: Container[str]) -> None:
        """Find the rows that come back under another key, as a load does.

        Args:
            rows: unclear ones, in the manifest's order.
            keys: those of the batch's rows that the manifest has.
        """
        for row in rows:
            videos = self.videos.get(row.fingerprint, deque())
            while row.key not in self.settled and videos:
                key, attempt_id = videos.popleft()
                if key in keys:
                    continue
                self.settled[row.key] = self.settled[key]
                self.asked |= {row.key} if key in self.asked else set()
                left = self.elsewhere.get(row.fingerprint, ())
                self.elsewhere[row.fingerprint] = deque(
                    paid for paid in left if paid.attempt_id != attempt_id
                )

    def done(self, key: str) -> bool:
        """Return whether a row is not to be bought any more."""
        return self.settled.get(key, False)

    def before(self, row: Unclear) -> Paid | None:
        """Return what was paid for before that this row asks for; each is found once."""
        if self.done(row.key) or row.key in self.asked:
            return None
        paid = self.elsewhere.get(row.fingerprint)
        if not paid:
            return None
        self.found.add(row.key)
        return paid.popleft()
