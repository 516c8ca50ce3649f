"""One call that buys a video, with a client of this field as its package gives it.

Only its address and its time-out are set. What the call raises is printed: how often the request
was sent, the server counts.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable, Mapping
from typing import Final

PROMPT: Final = "a paper kite over a dune"
TOKEN: Final = "benchmark"  # noqa: S105 - the server takes any


def by_runblob(url: str, timeout: float) -> None:
    """Buy with runblob."""
    from runblob import RunBlob  # noqa: PLC0415 - each client is in an environment of its own

    async def buy() -> None:
        async with RunBlob(api_key=TOKEN, base_url=url, timeout=timeout) as client:
            await client.veo.generate(prompt=PROMPT)

    asyncio.run(buy())


def by_fal(url: str, timeout: float) -> None:
    """Buy with fal-client, whose address is a constant that begins with https."""
    import fal_client.client as fal  # noqa: PLC0415 - as above

    fal.QUEUE_URL_FORMAT = f"{url}/"
    fal.SyncClient(key=TOKEN, default_timeout=timeout).submit(
        "fal-ai/veo3", arguments={"prompt": PROMPT}
    )


def by_luma(url: str, timeout: float) -> None:
    """Buy with lumaai."""
    from lumaai import LumaAI  # noqa: PLC0415 - as above

    client = LumaAI(auth_token=TOKEN, base_url=url, timeout=timeout)
    client.generations.create(model="ray-2", prompt=PROMPT)


def by_runway(url: str, timeout: float) -> None:
    """Buy with runwayml."""
    from runwayml import RunwayML  # noqa: PLC0415 - as above

    client = RunwayML(api_key=TOKEN, base_url=url, timeout=timeout)
    client.text_to_video.create(model="veo3.1", prompt_text=PROMPT, ratio="1280:720")


def by_replicate(url: str, timeout: float) -> None:
    """Buy with replicate."""
    import httpx  # noqa: PLC0415 - as above
    import replicate  # noqa: PLC0415 - as above

    client = replicate.Client(api_token=TOKEN, base_url=url, timeout=httpx.Timeout(timeout))
    client.models.predictions.create("google/veo-3", input={"prompt": PROMPT})


def by_batchsora(url: str, timeout: float) -> None:
    """Buy with our own client."""
    from batchsora import SoraClient  # noqa: PLC0415 - as above

    with SoraClient(TOKEN, base_url=url, timeout=timeout) as client:
        client.generate(PROMPT)


CLIENTS: Final[Mapping[str, Callable[[str, float], None]]] = {
    "fal-client": by_fal,
    "lumaai": by_luma,
    "runwayml": by_runway,
    "runblob": by_runblob,
    "replicate": by_replicate,
    "batchsora": by_batchsora,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("client", choices=CLIENTS)
    parser.add_argument("url")
    parser.add_argument("--timeout", type=float, required=True)
    asked = parser.parse_args()
    try:
        CLIENTS[asked.client](asked.url, asked.timeout)
    except ImportError:
        raise
    except Exception as error:  # noqa: BLE001 - each has errors of its own
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
