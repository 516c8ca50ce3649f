"""DBOS: a workflow a job on PostgreSQL; each step and each sleep of it is durable."""

import asyncio

import httpx
from contest import Watch, body, options
from dbos import DBOS
from httpx_aiohttp import AiohttpTransport

QUEUE = "videos"
asked = options(database=False)


@DBOS.step()
async def submit(number: int) -> str:
    """Buy a video."""
    made = await http.post("/v1/sora/generate", json=body(number))
    return made.json()["generation_id"]


@DBOS.step()
async def look(name: str) -> str:
    """Look where it stands."""
    return (await http.get(f"/v1/sora/generations/{name}/")).json()["status"]


@DBOS.workflow()
async def make(number: int) -> None:
    """Buy a video, and wait for it."""
    name = await submit(number)
    while await look(name) != "completed":
        await DBOS.sleep_async(asked.poll)


async def main() -> None:
    """Load the workflows, then work on them."""
    DBOS.launch()
    handles = [await DBOS.enqueue_workflow_async(QUEUE, make, job) for job in range(asked.jobs)]
    watch = Watch()
    await DBOS.register_queue_async(
        QUEUE, global_concurrency=asked.window, polling_interval_sec=asked.poll
    )
    async with http:
        for handle in handles:
            await handle.get_result()
        watch.report()
    DBOS.destroy()


if __name__ == "__main__":
    http = httpx.AsyncClient(transport=AiohttpTransport(), base_url=asked.url, timeout=60)
    DBOS(config={"name": QUEUE, "system_database_url": asked.database, "log_level": "ERROR"})
    asyncio.run(main())
