"""What a run says before it buys: what was loaded, what it may cost, what to do."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from batchsora.manifest.errors import RowProblem
from batchsora.presentation import held
from batchsora.presentation.problems import told
from jobs.model.money import usd_text
from jobs.model.states import HeldBack
from jobs.ports.control import Paid, Terms
from jobs.ports.loading import LoadReport
from jobs.system import quote

SHOWN = 5  # how many keys are named before the rest is counted
BUY_THEM = "--buy-again buys them again"
REDO_THEM = "--redo-changed buys them again"
TAKE_THEM = "--adopt-existing takes over those videos at no cost"
AFTER_GIVING_UP = "runs still check it; 'batchsora retry' buys it again"
"""Kept with a job whose attempt was given up."""


def keys_text(keys: list[str]) -> str:
    """Return some keys, and the number of the rest."""
    shown = ", ".join(keys[:SHOWN])
    more = len(keys) - SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def some(notes: list[str]) -> list[str]:
    """Return as many notes as a person reads, and the number of the rest."""
    more = len(notes) - SHOWN
    return notes if more <= 0 else [*notes[:SHOWN], f"… and {more} more"]


def gone(keys: list[str]) -> str:
    """Ask about rows that left the manifest and are not paid for."""
    return f"{len(keys)} unpaid row(s) left the manifest ({keys_text(keys)}). Cancel them?"


def loaded(name: str, report: LoadReport, skipped: list[RowProblem]) -> list[str]:
    """Return what a load did."""
    parts = [f"{report.added} new"]
    parts += [f"{report.updated} updated"] if report.updated else []
    parts += [f"{report.unchanged} unchanged"] if report.unchanged else []
    lines = [f"{name}: {', '.join(parts)}"]
    if report.cancelled:
        lines.append(
            f"no longer in the manifest, so cancelled (unpaid): {keys_text(report.cancelled)}"
        )
    if report.redone:
        lines.append(f"edited and bought again: {keys_text(report.redone)}")
    if report.edited:
        lines.append(
            f"edited after they were paid for, so not bought again: {keys_text(report.edited)}; "
            f"{REDO_THEM}"
        )
    if report.busy:
        lines.append(
            f"edited while under way, so not changed yet: {keys_text(report.busy)}; "
            "load again when they have finished"
        )
    left_out = told(skipped)
    lines += [f"left out: {line}" for line in left_out[:SHOWN]]
    if len(left_out) > SHOWN:
        lines.append(f"left out: {len(left_out) - SHOWN} more; 'batchsora plan' lists all")
    return lines


def paid_before(found: Sequence[Paid]) -> str:
    """Return how many rows were already paid for, and where."""
    names = {paid.batch: paid.at for paid in sorted(found, key=lambda paid: paid.at)}
    batches = keys_text([f"{name!r} ({at:%Y-%m-%d})" for name, at in names.items()])
    several = "batches" if len(names) > 1 else "batch"
    return f"{len(found)} of these rows were already paid for in {several} {batches}"


def wait_or_take(found: Sequence[Paid]) -> str:
    """Return what can be done about rows that were paid for; less where none is finished."""
    finished = sum(paid.video_url is not None for paid in found)
    if not finished:
        return f"They have no finished video to take over, so they are held back; {BUY_THEM}"
    if finished < len(found):
        return (
            f"They are held back: --adopt-existing takes over the {finished} finished video(s) at "
            f"no cost, {BUY_THEM}"
        )
    return f"They are held back: {TAKE_THEM}, {BUY_THEM}"


_WHY = {str(one): why for one, why in held.WHY.items()}
_WHY["unconfirmed"] = "unconfirmed, so perhaps paid for"
_ON = {
    HeldBack.EXISTS: f"--adopt-existing takes over what is finished, {BUY_THEM}",
    HeldBack.ELSEWHERE: f"--adopt-existing takes over what is finished, {BUY_THEM}",
    "cancelled": "'batchsora retry JOB' queues them again",
    "failed": "'batchsora status' shows why, and what to do",
    "unconfirmed": "the run checks them first; 'batchsora status' shows them",
    "paused": "'batchsora resume {name}' continues them",
}


def waiting(reasons: Mapping[str, int], batch: str) -> Iterable[tuple[str, str]]:
    """Yield what of a plan a run would not buy, and what to type."""
    for reason, way_on in _ON.items():
        if reasons.get(reason):
            yield f"{reasons[reason]} {_WHY.get(reason, reason)}:", way_on.format(name=quote(batch))


def caps_not_changed(said: Terms, name: str) -> Iterable[str]:
    """Return how budgets are changed that were given to a run while another one is active."""
    caps = [
        f"--cap {quote(f'{one}={usd_text(cap)}')}" for one, cap in said.campaigns.items() if cap
    ]
    if said.batch is not None:
        caps.insert(0, usd_text(said.batch))
    if said.day is not None:
        caps.append(f"--day-budget {usd_text(said.day)}")
    if caps:
        yield (
            "another run is active, so no budget was changed; this changes it, and that run "
            f"follows it at once: 'batchsora budget {quote(name)} {' '.join(caps)}'"
        )


class Uncapped(NamedTuple):
    """What a run would buy of a batch without a budget."""

    batch: str
    jobs: int
    cost: str  # for people
    used: int  # micros that are spent or reserved already


BUDGET_OR_STOP = "Budget in USD, Enter to stop"
"""Asks how much may be spent."""


def no_budget(found: Uncapped) -> str:
    """Return what would be bought of a batch without a budget, before asking for one."""
    used = (
        f" The ${usd_text(found.used)} already spent or reserved count in it." if found.used else ""
    )
    return (
        f"{found.jobs} video(s) of {found.batch} to buy, for {found.cost}. Set a budget: nothing "
        f"is bought above it, and the batch keeps it.{used}"
    )


def no_consent(found: Mapping[int, Uncapped]) -> str:
    """Return why nothing was bought."""
    rows = "; ".join(f"{one.jobs} video(s) of {one.batch} for {one.cost}" for one in found.values())
    return (
        f"nothing was bought: {rows} are loaded, but there is no budget, and no terminal to "
        "confirm on. Use --budget or --yes"
    )


def question_for_one(price: int | None) -> str:
    """Ask before a single video is bought without a budget; the price is in micros."""
    cost = "" if price is None else f" for about ${usd_text(price)}"
    return f"Buy this video{cost}? There is no budget for single videos yet."


def no_consent_for_one() -> str:
    """Explain why a single video was not bought without a terminal."""
    return (
        "nothing was bought: there is no budget for single videos, and no terminal to confirm on. "
        "Use --budget USD, which is kept, or --yes"
    )
