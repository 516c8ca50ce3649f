"""What libraries say of strangers' requests fills no disk."""

import logging

from batchsora.cli.logs import MINUTE, MOST_FOREIGN, Scarce


def test_what_strangers_cause_is_said_only_so_often() -> None:
    """Sixty records a minute of all libraries together; what is ours is said each time."""
    now = 1000.0
    scarce = Scarce(lambda: now)

    def said(name: str, times: int) -> int:
        record = logging.LogRecord(name, logging.WARNING, "f.py", 1, "it is odd", None, None)
        return sum(bool(scarce.filter(record)) for _ in range(times))

    assert said("uvicorn.error", 10_000) + said("asyncio", 10_000) == MOST_FOREIGN
    assert said("batchsora.web.serve", 100) == said("jobs.runtime.provider_health", 100) == 100
    now += MINUTE + 1
    assert said("asyncio", 10_000) == MOST_FOREIGN
