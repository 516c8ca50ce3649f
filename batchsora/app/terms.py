"""The terms of a run, and their defaults, wherever they are said: flags, a program, a rehearsal."""

from pathlib import Path

from batchsora.app.run import RunTerms
from batchsora.download import DownloadPolicy
from jobs.policy import RunPolicy
from jobs.retry import RetryPolicy


def run_terms(
    folder: Path | None,
    *,
    rehearsal: bool = False,
    private: bool = False,
    flat: bool = False,
    max_in_flight: int = 16,
    rate: float = 5.0,
    poll_interval: float | None = None,
    request_timeout: float = 60.0,
    generation_timeout: float = 1800.0,
    grace: float = 180.0,
    retries: int = 2,
    wait_for_funds: bool = False,
    download_rate: int = 0,
    callback_url: str | None = None,
) -> RunTerms:
    """Put the terms of a run together.

    Args:
        folder: where the files go; None fetches none.
        rehearsal: time runs faster in the sandbox, and so does our patience with it.
        private: take files from this machine and private networks.
        flat: no folder for each batch.
        max_in_flight: unfinished generations at the same time.
        rate: submissions a second.
        poll_interval: seconds between looks; None is 5, or 0.25 in a rehearsal.
        request_timeout: seconds for one request.
        generation_timeout: seconds after which a video counts as overdue.
        grace: seconds for which a doubt is looked for.
        retries: new attempts after the provider's own failures.
        wait_for_funds: wait for money instead of ending without it.
        download_rate: bytes a second for all downloads together; 0 is no limit.
        callback_url: where the provider announces the ends of rows that name no address.
    """
    policy = RunPolicy(
        max_in_flight=max_in_flight,
        rate=rate,
        poll_interval=poll_interval or (0.25 if rehearsal else 5.0),
        generation_timeout=generation_timeout,
        send_patience=min(10.0, max(2.0, grace / 18)),  # no use of more than the grace
        grace=grace,
        wait_for_funds=wait_for_funds,
        retry=RetryPolicy(retries, base=1.0 if rehearsal else 30.0),
        callback_url=callback_url,
    )
    download = (
        None
        if folder is None
        else DownloadPolicy(folder, allow_private=private, flat=flat, rate=download_rate)
    )
    return RunTerms(policy, request_timeout, download)


def usual_folder(*, rehearsal: bool) -> Path:
    """Say where files go when nobody said."""
    return Path("sandbox-videos" if rehearsal else "videos")
