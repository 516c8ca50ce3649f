"""``batchsora sandbox``: the API on this machine, to rehearse on."""

from pathlib import Path

import click

from batchsora.cli.common import Cli
from batchsora.cli.global_options import global_options


@click.command("sandbox", short_help="Serve a free copy of the API on this machine.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True)
@click.option("--time-scale", type=click.FloatRange(min=0.01), default=200.0, show_default=True,
              help="Speed-up over the real API.")  # fmt: skip
@click.option("--balance", default="100.00", show_default=True, help="Balance of the account, USD.")
@click.option("--faults", default="", metavar="NAME=VALUE,…",
              help="Faults, as drop=0.1,list=capped:20; `help` lists all.")  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the random numbers.")
@click.option("--state", type=click.Path(dir_okay=False, path_type=Path),
              help="Keep its generations in this file across restarts.")  # fmt: skip
@global_options
@click.pass_obj
def command(
    cli: Cli,
    /,
    port: int,
    time_scale: float,
    balance: str,
    faults: str,
    seed: int,
    state: Path | None,
) -> int:
    """Serve the provider's API on loopback, with real small videos and no money.

    GET /__ledger shows what it really charged. --faults makes it answer as badly as real
    providers do: lost answers, lists that lag or leave out, refusals, expired addresses.

    \b
    Example:
      batchsora sandbox --port 8765 --faults drop=0.1 &
      RUNBLOB_API_KEY=test batchsora --base-url http://127.0.0.1:8765 run prompts.csv --yes
      batchsora sandbox --faults help
    """
    if faults == "help":
        from batchsora.sandbox.table import as_text

        click.echo(as_text())
        return 0
    from batchsora.composition.sandbox_session import serve_sandbox

    serve_sandbox(port, time_scale, balance, faults, seed, state, cli.say)
    return 0
