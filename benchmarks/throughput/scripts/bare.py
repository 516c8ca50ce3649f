"""The bare loop on the same transport: nothing is kept, each id is polled by itself."""

import asyncio

import httpx
from contest import Watch, body, options

from batchsora.providers.runblob.transport import Transport


async def main(url: str, jobs: int, window: int, poll: float) -> None:
    """Do all jobs, some at a time."""
    todo = iter(range(jobs))
    async with httpx.AsyncClient(transport=Transport(), timeout=60) as http:

        async def worker() -> None:
            for number in todo:
                made = (await http.post(f"{url}/v1/sora/generate", json=body(number))).json()
                name = made["generation_id"]
                while True:
                    await asyncio.sleep(poll)
                    seen = (await http.get(f"{url}/v1/sora/generations/{name}/")).json()
                    if seen["status"] == "completed":
                        break

        await asyncio.gather(*(worker() for _ in range(window)))


if __name__ == "__main__":
    asked = options()
    watch = Watch()
    asyncio.run(main(asked.url, asked.jobs, asked.window, asked.poll))
    watch.report()
