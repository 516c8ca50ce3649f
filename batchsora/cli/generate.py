"""``batchsora generate``: one video, as safe as any row."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from batchsora.cli.common import Cli
from batchsora.cli.configured import caps_said
from batchsora.cli.flags import Grouped, options
from batchsora.cli.global_options import global_options
from batchsora.options import RunOptions

if TYPE_CHECKING:
    from jobs.ports.seen import JobRow


@click.command(
    "generate", cls=Grouped, short_help="Buy one video: submit, and wait for it with --wait."
)
@click.argument("prompt")
@click.option("--image", help="Start image: a path, a URL or a data URI.")
@click.option("--orientation", help="9:16 (portrait) or 16:9 (landscape).  [default: 9:16]")
@click.option("--duration", help="Seconds: 10 or 15.  [default: 10]")
@click.option("--campaign", help="Campaign whose budget it counts in.")
@click.option(
    "--callback-url", metavar="URL", help="URL that the API calls when the video has ended."
)
@click.option("--wait", is_flag=True, help="Wait for the video, with progress.")
@click.option("--again", is_flag=True, help="Buy it even if the same video is under way.")
@options(RunOptions, "generate")
@global_options
@click.pass_obj
def command(cli: Cli, /, prompt: str, options: RunOptions, **flags: Any) -> int:
    """Buy one video of PROMPT. It becomes a row of the batch 'adhoc', as safe as any other.

    If a run is active in another terminal, that run buys it; without --wait this command then ends
    with 0 as soon as the run has taken it over. If that run takes no new jobs (it is starting, or
    downloads its last files), this command waits for it: without --wait, for a minute. A video that
    does not fit into a budget is not bought later either.

    Without a budget (--budget is kept for later videos) it asks first; without a terminal it needs
    --budget or --yes.

    \b
    Examples:
      batchsora generate "a sunset over the sea" --wait --budget 5
      batchsora generate "the cat wakes up" --image cat.jpg --duration 15 --download .
    """
    from batchsora.presentation.json_shapes import job_json
    from batchsora.usecases.generate import OPTIONS, GenerateRequest, generate
    from batchsora.usecases.user_interface import Context

    request = GenerateRequest(
        prompt=prompt,
        options={name: flags[name] for name in OPTIONS if flags[name] is not None},
        run=replace(options, no_download=options.download is None),
        caps=caps_said(click.get_current_context(), options),
        wait=flags["wait"] or options.download is not None,
        again=flags["again"],
    )
    settings = cli.settings(sandbox=options.sandbox)
    code, job = generate(request, Context(settings, cli.deps, cli))
    cli.result(job_json(job), lambda: line(job))
    return int(code)


def line(job: "JobRow", *, batch: bool = False) -> str:
    """Return in a line how a job ended, or what to type next.

    Args:
        job: as the store gives it.
        batch: what is typed next names its batch too.
    """
    from batchsora.presentation.job_history import next_step
    from batchsora.presentation.json_shapes import near
    from batchsora.presentation.terminal_text import state_text
    from jobs.model.money import usd_text

    said = f"{job.key}: {state_text(job.state)}"
    if job.charged_micros:
        said += f", ${usd_text(job.charged_micros)}"
    if job.generation_id:
        said += f", generation {job.generation_id}"
    if job.error:
        said += f" ({job.error_kind}: {job.error})"
    if job.sha256 and job.file:
        return f"{said}\n  {near(job.file)}"
    if job.video_url:
        said += f"\n  {job.video_url}"
    step = next_step(job, batch=batch)
    return said if step is None else f"{said}\n  {step}"
