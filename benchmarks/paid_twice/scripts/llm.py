"""A batch with async-batch-llm.

Configured as its documentation shows for production: a checkpoint that is synced to disk, resumed
by reusing what succeeded, and a limit for each attempt. The call is the paid one alone, so that its
id is checkpointed at once; the videos are fetched by their ids later.
"""

import argparse
import asyncio
import json
import sys
import uuid
from pathlib import Path
from typing import Any

import httpx
from async_batch_llm import (
    ArtifactIdentity,
    BatchResult,
    CallableStrategy,
    CallOutcome,
    GuardrailConfig,
    JsonlArtifactStore,
    ProcessorConfig,
    ResumePolicy,
    RetryConfig,
    process_prompts,
)

PRICE = 0.12
IDENTITY = ArtifactIdentity(provider="runblob", model="sora")


async def submit(
    client: httpx.AsyncClient, prompts: list[str], config: ProcessorConfig
) -> BatchResult[str, Any]:
    """Buy the videos, some at a time."""

    async def invoke(prompt: str, **_: Any) -> CallOutcome[str]:
        headers = {"X-Idempotency-Key": str(uuid.uuid5(uuid.NAMESPACE_OID, prompt))}
        answer = await client.post("/v1/sora/generate", json={"prompt": prompt}, headers=headers)
        answer.raise_for_status()
        return CallOutcome(answer.json()["generation_id"], token_usage={"output_tokens": 1})

    async with client:
        return await process_prompts(
            CallableStrategy(invoke, identity=IDENTITY),
            [(prompt, prompt) for prompt in prompts],
            config=config,
            artifact_store=JsonlArtifactStore("videos.jsonl", identity=IDENTITY, fsync=True),
            resume=ResumePolicy.REUSE_SUCCESSES,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--timeout", type=float)
    parser.add_argument("--at-a-time", type=int)
    parser.add_argument("--max-attempts", type=int, default=3, help="the library's own default")
    parser.add_argument("--cap", type=float)
    asked = parser.parse_args()
    batch = asyncio.run(
        submit(
            httpx.AsyncClient(
                base_url=asked.url,
                timeout=asked.timeout,
                headers={"Authorization": "Bearer benchmark"},
            ),
            Path("prompts.txt").read_text().splitlines(),
            ProcessorConfig(
                concurrency=asked.at_a_time,
                attempt_timeout=asked.timeout,
                retry=RetryConfig(max_attempts=asked.max_attempts),
                guardrails=GuardrailConfig(
                    max_total_cost=asked.cap,
                    cost_function=lambda attempt: PRICE * attempt.usage["output_tokens"],
                ),
            ),
        )
    )
    with Path("answers.jsonl").open("w") as answers:
        for result in batch.results:
            if result.success:
                row = {"prompt": result.item_id, "generation_id": result.output}
                print(json.dumps(row), file=answers)
    print(batch.summary(), file=sys.stderr)
