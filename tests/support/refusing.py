"""Refusals as the adapter reads them."""

import json
from datetime import UTC, datetime

from batchsora.providers.runblob.adapter import outcome_of
from batchsora.providers.runblob.answers import Answer, Call, error_of
from jobs.model.provider import SubmitOutcome


def told(words: str, status: int, prompt: str = "") -> SubmitOutcome:
    """Read a refusal as the adapter does.

    Args:
        words: of its detail.
        status: of its answer.
        prompt: that was sent.
    """
    answer = Answer(status, {}, json.dumps({"detail": words}).encode(), whole=True)
    error = error_of(answer, Call.GENERATE, "", lambda: datetime.now(UTC), prompt)
    return outcome_of(error, prompt, with_image=False)
