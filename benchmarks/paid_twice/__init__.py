"""200 prompts through five tools and the same faults: what is paid twice, and what is lost.

Each tool runs without kills, then with two SIGKILLs of its whole process group while the answer to
a charge is under way, each followed by the same command again. What counts is what the server
charged, held against the results that the tool has in the end. Then one call each of the clients of
this field, at one fault each.
"""

import sys
import textwrap
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain

from peers import Peers

from jobs.model.money import to_micros, usd_text

from . import one_call
from .measure import Measured, measure
from .server import RATES, Fault, fault_of
from .tools import Tool, batchsora, gnu_parallel, python_peers

ROWS = 200
BUDGET, CAP = "24.00", "6.00"
ROWS_FOR_CAP = 50
"""What the cap buys: a tool that knows no caps is given no more rows, as its user would."""

KILLS, EARLY_KILLS = (60, 130), (20, 40)
"""At how many charges; the second for a run that the cap ends."""

AT_A_TIME = 2
"""Runs, each with a server of its own."""

Runs = Sequence[Future[Measured]]


def prompts(rows: int) -> list[str]:
    """Make the prompts."""
    return [f"a paper kite over dune {number:03}" for number in range(1, rows + 1)]


def main() -> None:
    """Print what was measured."""
    tools, absent = _tools()
    capped = [tool for tool in tools if tool.capped is not None]
    uncapped = [tool for tool in tools if tool.capped is None]
    with ThreadPoolExecutor(AT_A_TIME) as pool:

        def runs(tools: list[Tool], rows: int, kills: Sequence[int], *, cap: bool) -> Runs:
            return [
                pool.submit(measure, tool.start(cap=cap), tool.results, prompts(rows), kills)
                for tool in tools
            ]

        calm, killed = (runs(tools, ROWS, kills, cap=False) for kills in ((), KILLS))
        told = [runs(capped, ROWS, kills, cap=True) for kills in ((), EARLY_KILLS)]
        few = [runs(uncapped, ROWS_FOR_CAP, kills, cap=False) for kills in ((), EARLY_KILLS)]
        _print_head()
        _print_rows("without kills", tools, calm)
        _print_rows(
            f"SIGKILL at charges {KILLS[0]} and {KILLS[1]}, the same command again", tools, killed
        )
        print(f"\n{'':36}{'without kills':>16}{'two SIGKILLs':>16}")
        print(f"{f'a cap of ${CAP} is wanted':36}" + f"{'charged':>9}{'over':>7}" * 2)
        _print_caps("told of the cap", capped, *told)
        _print_caps(f"without caps, so given {ROWS_FOR_CAP} rows only", uncapped, *few)
    _print_notes()
    for line in absent:
        print(textwrap.fill(line, 80, subsequent_indent="  "))
    one_call.print_all()
    broken = [run.exception() for run in chain(calm, killed, *told, *few)]
    if any(broken):
        sys.exit("\n".join(f"\n{error}" for error in broken if error is not None))


def _tools() -> tuple[list[Tool], list[str]]:
    """List the tools that are here, and say why others are not."""
    tools: list[Tool] = []
    absent: list[str] = []
    peers = Peers()
    problem = peers.install()
    if problem is None:
        tools += python_peers(peers, CAP)
    else:
        absent.append(f"left out: runblob, batchledger, async-batch-llm: {problem}")
    parallel = gnu_parallel()
    if parallel is None:
        absent.append("left out: GNU parallel: install the Debian packages parallel and curl")
    else:
        tools.append(parallel)
    return [*tools, batchsora(BUDGET, CAP)], absent


def _print_head() -> None:
    first = Counter(fault_of(prompt, 1) for prompt in prompts(ROWS))
    wrong = ", ".join(f"{first[fault]} {fault}" for fault in RATES)
    print(f"{ROWS} prompts at $0.12; at first tries {first[Fault.NONE]} answered, and after the")
    print(f"charge {wrong}\n")
    print(f"{'':36}{'rows':>9}{'paid':>7}{'':>6}{'in':>7}")
    print(
        f"{f'${BUDGET} covers all rows':36}{'answered':>9}{'twice':>7}{'lost':>6}"
        f"{'doubt':>7}{'charged':>9}"
    )


def _print_rows(setting: str, tools: Sequence[Tool], runs: Runs) -> None:
    print(f"- {setting}")
    for tool, run in zip(tools, runs, strict=True):
        if run.exception() is not None:
            print(f"{tool.name:36}    broke: see below")
            continue
        line = run.result()
        print(
            f"{tool.name + line.remark:36}{line.answered:9}{line.twice:7}{line.lost:6}"
            f"{line.doubted:7}{usd_text(line.charged):>9}",
            flush=True,
        )


def _print_caps(setting: str, tools: Sequence[Tool], calm: Runs, killed: Runs) -> None:
    print(f"- {setting}")
    for tool, runs in zip(tools, zip(calm, killed, strict=True), strict=True):
        if any(run.exception() is not None for run in runs):
            print(f"{tool.name:36}    broke: see below")
            continue
        lines = [run.result() for run in runs]
        figures = "".join(
            f"{usd_text(line.charged):>9}{usd_text(max(0, line.charged - to_micros(CAP))):>7}"
            for line in lines
        )
        print(f"{tool.name + ''.join(line.remark for line in lines):36}{figures}", flush=True)


def _print_notes() -> None:
    print("""
lost: charged, and in none of the tool's results. A row that is paid twice loses
  its first generation, so it counts there too.
kills: of the whole process group, while the answer to a charge is under way.
  The number of others under way then differs a little from run to run.
runblob keeps nothing over a restart: its script writes each id down at once.
async-batch-llm counts what a cap has left anew at each start, and counts no
  charge whose answer it did not get.
parallel starts one curl a row: where a connection is used again and dropped,
  libcurl sends a POST a second time by itself.""")
