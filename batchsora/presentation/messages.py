"""What a run says: what was loaded, what it may cost, how it ended, what to do."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from batchsora import advice
from batchsora.manifest.errors import RowProblem
from batchsora.presentation import held
from batchsora.presentation.cost import money_text
from batchsora.presentation.errors import broken
from batchsora.presentation.terminal_text import state_text
from batchsora.run_result import RunResult
from batchsora.settings import DEFAULT_DATABASE, rehearsed_database
from jobs.model.money import usd_text
from jobs.model.states import Blocked, HeldBack, JobState, Reason
from jobs.ports.control import Paid, Terms
from jobs.ports.loading import LoadReport
from jobs.ports.seen import BatchStatus, PriceRow
from jobs.services.run_outcome import Ending
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
    lines += [f"left out: {problem}" for problem in skipped[:SHOWN]]
    if len(skipped) > SHOWN:
        lines.append(f"left out: {len(skipped) - SHOWN} more; 'batchsora plan' lists all")
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


def question(jobs: int, cost: str) -> str:
    """Ask before spending without a cap."""
    return f"Buy {jobs} video(s) for {cost}, without a budget?"


def no_consent(jobs: int, cost: str) -> str:
    """Return why nothing was bought."""
    return (
        f"nothing was bought: {jobs} video(s) for {cost} are loaded, but there is no budget, and "
        "no terminal to confirm on. Use --budget or --yes"
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


def ended(result: RunResult, skipped: list[RowProblem], folder: Path | None) -> Iterable[str]:
    """Yield how a run ended and what to type next."""
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
    yield from _next_steps(result)


def _batch_line(batch: BatchStatus) -> str:
    counts = [f"{count} {state_text(state)}" for state, count in batch.jobs.items() if count]
    return f"{batch.name}: {', '.join(counts)}; {money_text(batch.money)}"


def _next_steps(result: RunResult) -> Iterable[str]:
    batches = result.judged
    queued = sum(batch.jobs[JobState.QUEUED] - batch.held for batch in batches)
    yield from reason(result.ending, batches, queued)
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
            f"{doubts} job(s) unconfirmed: the account's list does not show what became of them, "
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
    failed = sum(batch.jobs[JobState.FAILED] for batch in batches)
    if failed:
        yield f"{failed} job(s) failed: 'batchsora jobs --status failed' shows why"
    for batch in batches:
        yield from advice.of_failures(batch.failed_kinds, batch.name)


def rehearsed(database: Path) -> str:
    """Return that a run was a rehearsal, and what shows it; ``database`` is the rehearsal's."""
    real = rehearsed_database(database)
    named = "" if real == Path(DEFAULT_DATABASE) else f"--db {quote(str(real))} "
    return f"this used the sandbox; to look at it: batchsora {named}status --sandbox"


_WAYS_ON = {
    Blocked.PAUSED: "'batchsora resume {name}' continues it",
    Blocked.BATCH_CAP: "raise it to continue: '{command} --budget USD'",
    Blocked.CAMPAIGN_CAP: "raise it to continue: 'batchsora run --batch {name} --cap CAMPAIGN=USD'",
    Blocked.DAY_CAP: "run it again tomorrow, or raise the day's budget: 'batchsora run --batch "
    "{name} --day-budget USD'",
    Blocked.PRICE: "'batchsora prices' lists them. A higher --max-price buys, and "
    "'batchsora prices set KIND USD' corrects a wrong one",
    Blocked.BALANCE: "top up the account, then run again; --wait-for-funds waits for it",
}
"""What to type when something blocks a batch."""
_REASONS = {
    Reason.INTERRUPTED: "stopped; nothing is lost: run it again to resume",
    Reason.UNREACHABLE: "the API could not be reached, or accepts nothing; nothing is lost: run it "
    "again to resume",
    Reason.TOKEN: "{message}; renew the token, then run again",
    Reason.ADDRESS: "{message}; check --base-url",
    Reason.FUNDS: "not enough credits; {queued} job(s) left: top up the account, then run again",
    Reason.ACCOUNT: "{message}; {queued} job(s) stay queued, at no cost: resolve it with the "
    "provider, then run again",
    Reason.ACCESS: "{message}; {queued} job(s) stay queued, at no cost. The token is accepted, so "
    "it is a firewall or a missing permission: fix it, then run again",
    Reason.REQUEST: "{message}; every submission is refused like this, so the rows are not the "
    "cause: {queued} job(s) stay queued, at no cost. Fix it, then run again",
    Reason.UNDECIDED: "{message}; the last rows were refused like this, and the cause may be the "
    "rows or the account: {queued} job(s) stay queued, at no cost. If it is the account, fix "
    "that; then run again: rows that are refused with the same message then fail",
}


def reason(
    ending: Ending, batches: Sequence[BatchStatus], queued: int, command: str = ""
) -> Iterable[str]:
    """Return why a run ended before everything was done, and what to do about it.

    ``command`` is what to type after a batch's budget was raised; empty is a run of the batch.
    """
    if ending.breach is not None:
        yield broken(ending.breach)
    elif ending.reason in _REASONS:
        if ending.message and ending.reason in (Reason.UNREACHABLE, Reason.FUNDS):
            yield ending.message
        yield _REASONS[ending.reason].format(message=ending.message, queued=queued)
    elif ending.reason is Reason.BLOCKED and not ending.blocked:
        yield f"{queued} job(s) left; unconfirmed attempts use every slot (--max-in-flight)"
    elif ending.reason is Reason.BLOCKED:
        for batch in batches:
            yield from _blocked(batch, sorted(ending.blocked.get(batch.id, ())), command)


def _blocked(batch: BatchStatus, why: Sequence[Blocked], command: str) -> Iterable[str]:
    """Yield what blocks a batch's rest, how much of its budget is used, and what to type."""
    if not why:
        return
    left = max(1, batch.jobs[JobState.QUEUED] - batch.held)
    yield f"{batch.name}: {left} job(s) left; blocked by {_causes(batch, why)}"
    yield from _ways_on(batch, why, command)


def stuck(batch: BatchStatus, why: Collection[Blocked]) -> str:
    """Return why no run buys the rows that were asked for, and what to type."""
    if Blocked.PAUSED in why:
        return advice.paused(batch.name)
    return "; ".join([f"{batch.name} is blocked by {_causes(batch, why)}", *_ways_on(batch, why)])


def _causes(batch: BatchStatus, why: Collection[Blocked]) -> str:
    return ", ".join(f"{cause}{_used(batch, cause)}" for cause in sorted(why))


def _ways_on(batch: BatchStatus, why: Collection[Blocked], command: str = "") -> Iterable[str]:
    name = quote(batch.name)
    for cause, text in _WAYS_ON.items():
        if cause in why:
            yield text.format(name=name, command=command or f"batchsora run --batch {name}")


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
