"""A batch with the RunBlob SDK.

It keeps nothing over a restart, so the script does what it can: each id is written down as soon as
it is known, and a row that has one is not bought again.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import TextIO

from runblob import RunBlob, RunBlobError

ANSWERS = Path("answers.jsonl")


def known() -> dict[str, str]:
    """Read what an earlier start has bought."""
    if not ANSWERS.exists():
        return {}
    rows = map(json.loads, ANSWERS.read_text().splitlines())
    return {row["prompt"]: row["generation_id"] for row in rows}


async def make(client: RunBlob, prompt: str, bought: dict[str, str], out: TextIO) -> None:
    """Buy a video unless it is bought already, and wait for it."""
    try:
        if prompt not in bought:
            made = await client.kling.generate(prompt=prompt, duration="10", aspect_ratio="9:16")
            bought[prompt] = made.generation_id
            print(json.dumps({"prompt": prompt, "generation_id": bought[prompt]}), file=out)
        await client.kling.wait_for_result(bought[prompt], poll_interval=0.25)
    except RunBlobError as error:
        print(f"{prompt}: {type(error).__name__}: {error}", file=sys.stderr)


async def make_all(client: RunBlob, prompts: list[str], at_a_time: int, out: TextIO) -> None:
    """Go through the prompts, some at a time."""
    gate = asyncio.Semaphore(at_a_time)
    bought = known()

    async def gated(prompt: str) -> None:
        async with gate:
            await make(client, prompt, bought, out)

    async with client:
        await asyncio.gather(*map(gated, prompts))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--timeout", type=float)
    parser.add_argument("--at-a-time", type=int)
    parser.add_argument("--max-retries", type=int, default=3, help="the SDK's own default")
    asked = parser.parse_args()
    runblob = RunBlob(base_url=asked.url, timeout=asked.timeout, max_retries=asked.max_retries)
    rows = Path("prompts.txt").read_text().splitlines()
    with ANSWERS.open("a", buffering=1) as answers:
        asyncio.run(make_all(runblob, rows, asked.at_a_time, answers))
