"""Options with which commands pick jobs, named alike in all of them."""

import click

from batchsora.cli.completing import batches, jobs

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
yes_option = click.option("--yes", is_flag=True, help="Don't ask for confirmation.")
