"""procrastinate: an asynchronous task a job on PostgreSQL, the ids in a table beside its own."""

import asyncio

import httpx
from contest import Watch, body, options
from httpx_aiohttp import AiohttpTransport
from procrastinate import App, PsycopgConnector

asked = options(database=False)
app = App(connector=PsycopgConnector(conninfo=asked.database))
done: list[int] = []


@app.task
async def make(number: int) -> None:
    """Buy a video, keep its id, and wait for it."""
    made = await http.post("/v1/sora/generate", json=body(number))
    name = made.json()["generation_id"]
    await app.connector.execute_query_async(
        "INSERT INTO video (number, id) VALUES (%(number)s, %(name)s)", number=number, name=name
    )
    while True:
        await asyncio.sleep(asked.poll)
        seen = await http.get(f"/v1/sora/generations/{name}/")
        if seen.json()["status"] == "completed":
            done.append(number)
            return


async def main() -> None:
    """Load the tasks, then work on them."""
    async with app.open_async(), http:
        await app.schema_manager.apply_schema_async()
        await app.connector.execute_query_async(
            "CREATE TABLE video (number integer PRIMARY KEY, id text NOT NULL)"
        )
        await make.batch_defer_async(*({"number": number} for number in range(asked.jobs)))
        watch = Watch()
        await app.run_worker_async(
            concurrency=asked.window, wait=False, install_signal_handlers=False
        )
        watch.report()


if __name__ == "__main__":
    http = httpx.AsyncClient(transport=AiohttpTransport(), base_url=asked.url, timeout=60)
    asyncio.run(main())
    if len(done) != asked.jobs:
        raise SystemExit(f"{len(done)} of {asked.jobs} are completed")
