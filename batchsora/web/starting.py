"""Starting a manifest: the form as it is understood, and the two ways to begin.

Without an active run a process of its own does what ``batchsora run`` does. With one, the manifest
is loaded here, under the same rules and caps, and its jobs are handed to that run.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Final, TypeVar

from starlette.exceptions import HTTPException

from batchsora.composition.databases import existing_store
from batchsora.composition.session import endpoint
from batchsora.manifest import values
from batchsora.manifest.errors import CellError
from batchsora.option_kinds import options_of
from batchsora.options import ReadingOptions, RunOptions
from batchsora.presentation import messages
from batchsora.usecases.bought_already import OnExisting
from batchsora.usecases.from_options import load_options, terms_of
from batchsora.usecases.hand_over import Handed, look_and_hand
from batchsora.usecases.kept_reading import as_before
from batchsora.usecases.load import load_manifest
from batchsora.usecases.manifest_options import Source, fitted_folder
from batchsora.web.answers import PageInterface
from batchsora.web.planning import Planned, StartForm
from batchsora.web.uploads import Form
from batchsora.web.web_context import WebContext
from jobs.ports.loading import OnChange

T = TypeVar("T")

_IN_FLIGHT: Final = options_of(RunOptions)["max_in_flight"]
LARGEST_NUMBER: Final = 9  # digits of a number of rows


def read_plan_options(form: Form) -> tuple[RunOptions, dict[str, str]]:
    """Read name, first rows and pace from a form; with what is wrong, by field."""
    problems: dict[str, str] = {}
    read = _reader(form, problems)
    name = read("name", values.batch)
    first = read("first", lambda text: _number(text, 10**LARGEST_NUMBER - 1))
    most = int(_IN_FLIGHT.most or 0)
    in_flight = read("in_flight", lambda text: _number(text, most)) or RunOptions().max_in_flight
    return RunOptions(name=name, first=first, max_in_flight=in_flight), problems


def read_form(
    form: Form, planned: Planned, said: ReadingOptions, *, runs: bool, rehearsal: bool = False
) -> tuple[StartForm, dict[str, str]]:
    """Return what a form wants, as far as it is valid, and what is wrong, by field, in its order.

    ``planned`` is the plan by the form's own name and first rows; ``runs``: a run is active, which
    would take the batch over; ``rehearsal``: it is for the sandbox, which has
    batches of its own and no money.
    """
    plan_options, found = read_plan_options(form)
    problems: dict[str, str] = {}
    read = _reader(form, problems)
    budget = read("budget", money)
    if budget is None and "budget" not in problems and planned.plan.cap is None and not rehearsal:
        problems["budget"] = "Set a budget; nothing is bought above it."
    problems |= found
    if planned.name_problem is not None and "name" not in problems and not rehearsal:
        problems["name"] = planned.name_problem
    if runs and plan_options.first is not None:
        problems["first"] = (
            "The active run buys all rows. Leave this empty, or wait until it has ended."
        )
    caps: dict[str, Decimal] = {}
    for place, campaign in enumerate(planned.plan.campaigns):
        cap = read(f"cap-{place}", money) if form.text(f"campaign-{place}") == campaign else None
        if cap is not None:
            caps[campaign] = cap
    skip_invalid = form.text("skip_invalid") == "yes"
    if planned.plan.problems and not skip_invalid:
        problems["skip_invalid"] = "Some rows can't be bought. Fix them, or continue without them."
    allow_unknown = form.text("allow_unknown") == "yes"
    if planned.misspelt and not allow_unknown:
        problems["allow_unknown"] = (
            "A column looks misspelled. Choose above what it is, or confirm it."
        )
    existing = _one_of(OnExisting, form.text("existing"), OnExisting.ASK)
    if runs and existing is OnExisting.ADOPT:
        problems["existing"] = "To take over videos, wait until the active run has ended."
    on_change = _one_of(OnChange, form.text("on_change"), OnChange.STOP)
    options = replace(
        plan_options,
        budget=budget,
        campaign_budgets=caps,
        skip_invalid=skip_invalid,
        allow_unknown=allow_unknown,
        on_existing=existing,
        on_change=on_change,
    )
    return StartForm(options, said), problems


def _reader(form: Form, problems: dict[str, str]) -> Callable[[str, Callable[[str], T]], T | None]:
    def read(name: str, parse: Callable[[str], T]) -> T | None:
        try:
            return parse(form.text(name))
        except CellError as error:
            problems[name] = in_words(error)
            return None

    return read


def money(text: str) -> Decimal | None:
    """Return an amount in USD, None if the text is empty, or raise a :class:`CellError`."""
    return values.money(text) if text.strip() else None


def in_words(error: CellError) -> str:
    """Return what is wrong with a field, to show beside it."""
    return f"{error.problem[:1].upper()}{error.problem[1:]}. {error.remedy}"


def _number(text: str, most: int) -> int | None:
    words = text.strip()
    if not words:
        return None
    if not (words.isascii() and words.isdecimal() and len(words) <= LARGEST_NUMBER):
        raise CellError("not a number", "Write a whole number, such as 10.")
    if not 1 <= int(words) <= most:
        raise CellError("out of range", f"Write a number from 1 to {most}.")
    return int(words)


def _one_of(kind: type[T], text: str, otherwise: T) -> T:
    try:
        return kind(text)  # type: ignore[call-arg]
    except ValueError:
        return otherwise


def started_run(web: WebContext, command: list[str], name: str, purpose: str = "run") -> str:
    """Start a run as a process of its own, named as in addresses, or raise a 507."""
    try:
        return web.launcher.start(command, purpose, name).id
    except OSError as error:
        raise HTTPException(
            507, f"No process can be started ({error.strerror}). Nothing was bought."
        ) from None


ENDED_MEANWHILE: Final = "the run has ended meanwhile, so nothing is bought yet: press Resume again"
"""The message when no run is left to take jobs over."""


def taken_up(handed: Handed) -> str:
    """Return who buys what was handed over, and what prevents it."""
    if not handed.served:
        return ENDED_MEANWHILE
    return handed.words("the active run takes over")


def hand_over(web: WebContext, source: Source, start_form: StartForm) -> tuple[int, list[str]]:
    """Load a manifest, and hand its jobs to the active run; called in a thread.

    Until it is known what exists already, nobody buys a row of it.

    Returns:
        The number of the batch, and messages.

    Raises:
        SettingsError: there is no token.
        ManifestError, InvalidRowsError, EngineError: nothing was loaded.
        jobs.model.provider.ProviderError: it is loaded, and was not handed over.
    """
    settings, said = web.settings, PageInterface()
    source = as_before(source, settings.database, start_form.options.name)
    manifest = source.opened(fitted_folder(settings.database))
    # the plan has shown the comments
    options = replace(load_options(start_form.options, quiet=True), comments=True)
    caps, said_caps = web.standing, terms_of(start_form.options)
    campaigns = {**caps.campaigns, **said_caps.campaigns}
    caps = replace(caps, campaigns=campaigns, checked=list(campaigns))
    if said_caps.batch is not None:
        others = {name: cap for name, cap in caps.begin.items() if name != "batch"}
        caps = replace(caps, batch=said_caps.batch, begin=others)
    existing = OnExisting(start_form.options.on_existing)
    # a store of its own: other pages' changes don't wait until all rows are read
    with endpoint(settings) as place, existing_store(settings.database) as store:
        report, notes, skipped = load_manifest(store, manifest, options, caps, web.clock.now())
        lines = [*messages.loaded(manifest.path.name, report, skipped), *notes]
        handed, left_out = look_and_hand(store, place, report.batch_id, existing, web.clock, said)
        if handed is None:
            lines.append(
                f"{len(left_out)} prompt(s) already exist in this account, so nothing was handed "
                "to the active run: choose to buy them again, or start it when that run has ended"
            )
            return report.batch_id, lines
    return report.batch_id, [*lines, taken_up(handed)]
