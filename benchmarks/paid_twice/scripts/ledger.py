"""A batch with batchledger.

The function does nothing but the paid call, so that its id is on disk at once; the videos are
fetched by their ids later. A key goes with each call, as its documentation advises.
"""

import argparse
import functools
import json
import sys
import uuid
from pathlib import Path

import httpx
from batchledger import Ledger


def submit(client: httpx.Client, prompt: str) -> dict[str, str]:
    """Buy a video."""
    key = str(uuid.uuid5(uuid.NAMESPACE_OID, prompt))
    headers = {"X-Idempotency-Key": key}
    answer = client.post("/v1/sora/generate", json={"prompt": prompt}, headers=headers)
    answer.raise_for_status()
    return {"prompt": prompt, "generation_id": answer.json()["generation_id"]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--timeout", type=float)
    asked = parser.parse_args()
    rows = Path("prompts.txt").read_text().splitlines()
    bearer = {"Authorization": "Bearer benchmark"}
    with (
        httpx.Client(base_url=asked.url, timeout=asked.timeout, headers=bearer) as http,
        Ledger("videos.sqlite", namespace="submit", version="1") as ledger,
        Path("answers.jsonl").open("w") as answers,
    ):
        for outcome in ledger.run(functools.partial(submit, http), rows, on_error="record"):
            if outcome.ok:
                print(json.dumps(outcome.value), file=answers)
            else:
                print(outcome.error, file=sys.stderr)
