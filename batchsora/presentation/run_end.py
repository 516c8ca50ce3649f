"""What a run says at its end: what was done, what stopped it, and what to type next."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from batchsora import advice
from batchsora.manifest.errors import RowProblem
from batchsora.presentation import held
from batchsora.presentation.cost import Cost, money_text
from batchsora.presentation.errors import broken
from batchsora.presentation.terminal_text import state_text
from batchsora.run_result import RunResult
from jobs.model.money import usd_text
from jobs.model.states import Blocked, JobState, Reason
from jobs.ports.seen import BatchStatus, PriceRow
from jobs.services.run_outcome import Ending
from jobs.system import quote

SHOWN: Final = 5  # how many files or campaigns are named
PENDING, PROCESSING = JobState.PENDING, JobState.PROCESSING
CENT: Final = 10_000  # micros


@dataclass(frozen=True, slots=True)
class Left:
    """What the rows cost that a run leaves: of a batch, and of its campaigns; micros of the day.

    ``day_used`` is what all batches have spent or reserved today.
    """

    cost: Cost
    campaigns: Mapping[str, Cost]
    day_used: int


def ended(
    result: RunResult,
    skipped: list[RowProblem],
    folder: Path | None,
    left: Mapping[int, Left],
    free: int | None,
) -> Iterable[str]:
    """Yield how a run ended and what to type next.

    Args:
        folder: for files; None: none are wanted.
        left: what the rows cost that are left of blocked batches, by their numbers.
        free: what the account has for them, in micros; None: unknown.
    """
    batches = result.batches
    for batch in batches:
        yield _batch_line(batch)
    if result.downloads.fetched and folder is not None:
        yield f"{result.downloads.fetched} file(s) downloaded into {folder}/"
    missing = sum(batch.files_missing for batch in batches)
    if missing and folder is not None:
        for key, error in list(result.downloads.failed.items())[:SHOWN]:
            yield f"the file of {key} is missing: {error}"
        yield f"{missing} file(s) still missing: 'batchsora download' gets them at no cost"
    if skipped:
        yield f"{len(skipped)} problem(s) in rows that were left out; fix them and run again"
    yield from _next_steps(result, left, free)
    if folder is None or not missing:
        yield from _export(result)


def _export(result: RunResult) -> Iterable[str]:
    """Yield how results are written, when everything that was asked for is there."""
    done = [batch for batch in result.batches if batch.jobs[JobState.COMPLETED]]
    if result.ending.reason is not Reason.FINISHED or not done:
        return
    only = f" --batch {quote(done[0].name)}" if len(done) == 1 else ""
    yield f"'batchsora export -o results.xlsx{only}' writes the results beside your rows"


def _batch_line(batch: BatchStatus) -> str:
    counts = [f"{count} {state_text(state)}" for state, count in batch.jobs.items() if count]
    return f"{batch.name}: {', '.join(counts)}; {money_text(batch.money)}"


def _next_steps(result: RunResult, left: Mapping[int, Left], free: int | None) -> Iterable[str]:
    batches = result.judged
    queued = sum(batch.jobs[JobState.QUEUED] - batch.held for batch in batches)
    yield from reason(result.ending, batches, queued, left, free)
    for batch in batches:
        yield from held.lines(batch)
    doubts = sum(batch.jobs[JobState.IN_DOUBT] for batch in batches)
    if doubts and result.ending.reason in (Reason.INTERRUPTED, Reason.UNREACHABLE):
        yield (
            f"{doubts} job(s) unconfirmed: perhaps paid for, so their money stays reserved. "
            "The next run, or 'batchsora reconcile', checks them"
        )
    elif doubts:
        yield (
            f"{doubts} job(s) unconfirmed: nothing shows what became of them, "
            "so their money stays reserved. 'batchsora status' shows the candidates; settle each "
            "with 'batchsora resolve JOB --generation ID' or '--never-made'"
        )
    if result.reappeared:
        yield (
            f"{result.reappeared} generation(s) turned up after they had counted as never made: "
            "their rows use them, they are charged, and nothing is bought again"
        )
    if result.surplus:
        yield (
            f"{result.surplus} generation(s) turned up after they had counted as never made and "
            "had been bought again: paid for twice, both charged; 'batchsora reconcile' lists "
            "them"
        )
    yield from odd_lines(result.odd_prices)
    for batch in batches:
        yield from _failed(batch)


def _failed(batch: BatchStatus) -> Iterable[str]:
    """Yield how many jobs failed, and which of them are worth another attempt as they are."""
    failed, name = batch.jobs[JobState.FAILED], quote(batch.name)
    if not failed:
        return
    yield f"{failed} job(s) failed: 'batchsora jobs --status failed --batch {name}' shows why"
    yield from advice.of_failures(batch.failed_kinds, batch.name)


_WAYS_ON = {
    Blocked.PAUSED: "'batchsora resume {name}' continues it",
    Blocked.BATCH_CAP: "raise it to continue: '{command} --budget {budget}'",
    Blocked.CAMPAIGN_CAP: "raise it to continue: 'batchsora run --batch {name} {caps}'",
    Blocked.DAY_CAP: "run it again tomorrow, or raise the day's budget: 'batchsora run --batch "
    "{name} --day-budget {day}'",
    Blocked.PRICE: "'batchsora prices' lists them. A higher --max-price buys, and "
    "'batchsora prices set KIND USD' corrects a wrong one",
    Blocked.BALANCE: "top up the account, then run again: '{command}'; with --wait-for-funds it "
    "waits for that",
    Blocked.DOUBTS: "settle them with 'batchsora resolve JOB', or raise --doubts-most",
}
"""What to type when something blocks a batch."""
_REASONS = {
    Reason.INTERRUPTED: "stopped; nothing is lost{under_way}. To resume, run it again: {resume}",
    Reason.UNREACHABLE: "the API could not be reached, or accepts nothing; nothing is lost"
    "{under_way}. When the API answers, run it again: {resume}",
    Reason.TOKEN: "{message}; renew the token, then run again: {resume}",
    Reason.ADDRESS: "{message}; check --base-url",
    Reason.FUNDS: "not enough credits; {queued} job(s) left: top up the account, then run again: "
    "{resume}",
    Reason.ACCOUNT: "{message}; {queued} job(s) stay queued, at no cost: resolve it with the "
    "provider, then run again: {resume}",
    Reason.ACCESS: "{message}; {queued} job(s) stay queued, at no cost. The token is accepted, so "
    "it is a firewall or a missing permission: fix it, then run again: {resume}",
    Reason.REQUEST: "{message}; every submission is refused like this, so the rows are not the "
    "cause: {queued} job(s) stay queued, at no cost. Fix it, then run again: {resume}",
    Reason.UNDECIDED: "{message}; the last rows were refused like this, and the cause may be the "
    "rows or the account: {queued} job(s) stay queued, at no cost. If it is the account, fix "
    "that; then run again: rows that are refused with the same message then fail",
}


def reason(
    ending: Ending,
    batches: Sequence[BatchStatus],
    queued: int,
    left: Mapping[int, Left] = MappingProxyType({}),
    free: int | None = None,
    *,
    command: str = "",
) -> Iterable[str]:
    """Return why a run ended before everything was done, and what to do about it.

    Args:
        queued: how many jobs are left.
        left: what they cost, by their batches' numbers.
        free: what the account has for them, in micros; None: unknown.
        command: what to type after a batch's budget was raised; empty: a run of the batch.
    """
    if ending.breach is not None:
        yield broken(ending.breach)
    elif ending.reason in _REASONS:
        if ending.message and ending.reason in (Reason.UNREACHABLE, Reason.FUNDS):
            yield ending.message
        yield _REASONS[ending.reason].format(
            message=ending.message,
            queued=queued,
            under_way=_under_way(batches),
            resume=f"'{command}'" if command else _resume(batches),
        )
    elif ending.reason is Reason.BLOCKED and not ending.blocked:
        yield f"{queued} job(s) left; unconfirmed attempts use every slot (--max-in-flight)"
    elif ending.reason is Reason.BLOCKED:
        for batch in batches:
            why = sorted(ending.blocked.get(batch.id, ()))
            if why:
                yield _blocked(batch, why, left.get(batch.id), free)
                yield from _ways_on(batch, why, left.get(batch.id), command)


def _under_way(batches: Sequence[BatchStatus]) -> str:
    """Return how many videos the provider goes on making."""
    paid = sum(batch.jobs[one] for batch in batches for one in (PENDING, PROCESSING))
    return f"; {paid} video(s) are under way, and the next run downloads them" if paid else ""


def _resume(batches: Sequence[BatchStatus]) -> str:
    """Return the command that continues."""
    only = f" --batch {quote(batches[0].name)}" if len(batches) == 1 else ""
    return f"'batchsora run{only}'"


def _blocked(
    batch: BatchStatus, why: Sequence[Blocked], left: Left | None, free: int | None
) -> str:
    """Return what blocks a batch's rest, what the rest costs, and what there is for it."""
    rows = max(1, batch.jobs[JobState.QUEUED] - batch.held)
    cost = "" if left is None else f", for {left.cost.text}"
    account = "" if free is None else f"; ${usd_text(free)} free in the account"
    return f"{batch.name}: {rows} job(s) left{cost}; blocked by {_causes(batch, why)}{account}"


def stuck(batch: BatchStatus, why: Collection[Blocked]) -> str:
    """Return why no run buys the rows that were asked for, and what to type."""
    if Blocked.PAUSED in why:
        return advice.paused(batch.name)
    return "; ".join([f"{batch.name} is blocked by {_causes(batch, why)}", *_ways_on(batch, why)])


def _causes(batch: BatchStatus, why: Collection[Blocked]) -> str:
    return ", ".join(f"{cause}{_used(batch, cause)}" for cause in sorted(why))


def _ways_on(
    batch: BatchStatus, why: Collection[Blocked], left: Left | None = None, command: str = ""
) -> Iterable[str]:
    name, cost = quote(batch.name), None if left is None else left.cost
    for cause, text in _WAYS_ON.items():
        if cause in why:
            yield text.format(
                name=name,
                command=command or f"batchsora run --batch {name}",
                budget=_enough(batch.money.used, cost),
                caps=_caps(batch, left),
                day=_enough(left.day_used if left else 0, cost),
            )


def _enough(used: int, cost: Cost | None) -> str:
    """Return the budget that suffices for what is left, in whole cents; or what stands for it."""
    if cost is None or cost.unpriced:
        return "USD"
    return usd_text(-(-(used + cost.micros) // CENT) * CENT)


def _caps(batch: BatchStatus, left: Left | None) -> str:
    """Return the options that give campaigns enough for what is left of them."""
    short = {
        name: cost
        for name, cost in ({} if left is None else left.campaigns).items()
        if (one := batch.campaigns.get(name)) is not None
        and one.room is not None
        and (cost.unpriced or cost.micros > one.room)
    }
    caps = [f"{name}={_enough(batch.campaigns[name].used, cost)}" for name, cost in short.items()]
    return " ".join(f"--cap {quote(cap)}" for cap in caps[:SHOWN]) or "--cap CAMPAIGN=USD"


def _used(batch: BatchStatus, cause: Blocked) -> str:
    """Return how much of a budget is used; of campaigns, of those with the least room."""
    budgets = {"": batch.money} if cause is Blocked.BATCH_CAP else {}
    if cause is Blocked.CAMPAIGN_CAP:
        capped = {name: one for name, one in batch.campaigns.items() if one.room is not None}
        least = min((one.room or 0 for one in capped.values()), default=0)
        budgets = {f"{name!r}: ": one for name, one in capped.items() if one.room == least}
    said = [
        f"{name}${usd_text(one.used)} of ${usd_text(one.cap)}"
        for name, one in budgets.items()
        if one.cap is not None
    ]
    return f" ({'; '.join(said)} used)" if said else ""


def odd_lines(found: Sequence[PriceRow]) -> list[str]:
    """Return which kinds were charged an odd price, what it means, and what to type."""
    return [
        f"{row.kind} cost ${usd_text(row.odd_micros)} once, on {row.odd_at:%Y-%m-%d %H:%M} UTC: "
        f"charged, but its price stays ${usd_text(row.last_micros)} until it is seen again. If "
        f"it is right: 'batchsora prices set {row.kind} {usd_text(row.odd_micros)}'"
        for row in found
        if row.odd_micros is not None
    ]
