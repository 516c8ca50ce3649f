"""The official SDK: a coroutine a job; each id is written to a file as soon as it is known."""

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any, TextIO

from contest import Watch, body, options
from runblob import RunBlob

UNLIMITED: dict[str, Any] = {"rate_limit_rps": 1e6}


async def main(client: RunBlob, asked: argparse.Namespace, ids: TextIO) -> None:
    """Do all jobs, some at a time."""
    todo = iter(range(asked.jobs))

    async def worker() -> None:
        for number in todo:
            prompt = body(number)["prompt"]
            made = await client.kling.generate(prompt=prompt, duration="10", aspect_ratio="9:16")
            print(json.dumps({"number": number, "id": made.generation_id}), file=ids)
            await client.kling.wait_for_result(
                made.generation_id, poll_interval=asked.poll, backoff_factor=1.0
            )

    async with client:
        await asyncio.gather(*(worker() for _ in range(asked.window)))


if __name__ == "__main__":
    given = options(unlimited=True)
    more = {"max_connections": given.window, **UNLIMITED} if given.unlimited else {}
    runblob = RunBlob(api_key="benchmark", base_url=given.url, **more)
    with Path("ids.jsonl").open("a", buffering=1) as file:
        watch = Watch()
        asyncio.run(main(runblob, given, file))
        watch.report()
