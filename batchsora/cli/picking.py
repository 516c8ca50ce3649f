"""Options with which commands pick jobs, named alike in all of them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from batchsora.cli.completing import batches, jobs

if TYPE_CHECKING:
    from batchsora.app.picks import Pick

F = TypeVar("F", bound=Callable[..., Any])

STATES = (
    "queued",
    "submitting",
    "in_doubt",
    "pending",
    "processing",
    "completed",
    "failed",
    "cancelled",
)
KINDS = (
    "validation",
    "image",
    "content",
    "system",
    "timeout",
    "overdue",
    "unknown",
    "no-file",
)

batch_option = click.option("--batch", shell_complete=batches, help="Only this batch.")
kind_option = click.option(
    "--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Only failures of this kind."
)
campaign_option = click.option("--campaign", "campaigns", multiple=True, help="Only this campaign.")
search_option = click.option(
    "--search", default="", metavar="WORDS", help="Only with these words in prompt, key or error."
)
jobs_argument = click.argument("job", nargs=-1, shell_complete=jobs)
yes_option = click.option("--yes", is_flag=True, help="Do it without asking.")


def pick_options(function: F) -> F:
    """Add the options that try a manifest with some of its rows."""
    for option in (
        click.option("--seed", type=int, default=0, show_default=True, help="Of --sample."),
        click.option(
            "--sample",
            type=click.IntRange(1, 1000),
            metavar="N",
            help="Only N rows by chance; the same ones each time, by the seed.",
        ),
        click.option(
            "--first", type=click.IntRange(min=1), metavar="N", help="Only the first N rows."
        ),
    ):
        function = option(function)
    return function


def pick_of(first: int | None, sample: int | None, seed: int) -> "Pick":
    """Read the options together.

    Raises:
        click.UsageError: both ways to pick were said.
    """
    from batchsora.app.picks import Pick

    if first is not None and sample is not None:
        raise click.UsageError("give --first or --sample, not both")
    return Pick(first, sample, seed)
