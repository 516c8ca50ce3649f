"""huey: a task a job on SQLite with fsync, each in a thread that polls."""

import threading
import time

import httpx
from contest import Watch, body, options
from huey import SqliteHuey
from huey.signals import SIGNAL_COMPLETE, SIGNAL_ERROR

asked = options()
queue = SqliteHuey("videos", filename="huey.db", fsync=True)
mine = threading.local()
over = threading.Event()
ended = {SIGNAL_COMPLETE: 0, SIGNAL_ERROR: 0}
counting = threading.Lock()


def http() -> httpx.Client:
    """Give a thread its own connection: a shared pool is slower."""
    if not hasattr(mine, "client"):
        mine.client = httpx.Client(base_url=asked.url, timeout=60)
    return mine.client


@queue.task()
def make(number: int) -> str:
    """Buy a video, keep its id, and wait for it."""
    name = http().post("/v1/sora/generate", json=body(number)).json()["generation_id"]
    queue.put(f"id-{number}", name)
    while True:
        time.sleep(asked.poll)
        if http().get(f"/v1/sora/generations/{name}/").json()["status"] == "completed":
            return name


@queue.signal(SIGNAL_COMPLETE, SIGNAL_ERROR)
def count(signal: str, *_: object) -> None:
    """Notice the last end."""
    with counting:
        ended[signal] += 1
        if sum(ended.values()) == asked.jobs:
            over.set()


if __name__ == "__main__":
    for job in range(asked.jobs):
        make(job)
    consumer = queue.create_consumer(workers=asked.window, periodic=False)
    watch = Watch()
    consumer.start()
    over.wait()
    watch.report()
    consumer.stop(graceful=True)
    if ended[SIGNAL_ERROR]:
        raise SystemExit(f"{ended[SIGNAL_ERROR]} tasks broke")
