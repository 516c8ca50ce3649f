"""What a tree says beside its jobs: the batch's name, caps, and defaults."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, TypeGuard

from batchsora.manifest import values
from batchsora.manifest.errors import CellError, refused, shorten
from batchsora.manifest.formats.tree import (
    FREE,
    LARGEST_VALUE,
    Mapping,
    Node,
    Scalar,
    as_cell,
    blank,
    named,
    refuse_cut,
    single,
)
from batchsora.manifest.raw import Settings
from batchsora.manifest.rows.headers import SYNONYMS

_IMAGES: Final = frozenset({"image", "image_url"})
OF_CAMPAIGN: Final = ("budget", "defaults")
FORBIDDEN: Final = ("id", "campaign")
"""What defaults can't say; the general ones may say the campaign."""

Cells = dict[str, str]
"""What one job says: a cell by what its column is."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """Values for jobs that do not set them.

    Attributes:
        general: for all.
        campaigns: for the jobs of each campaign, before the general ones.
        nodes: all of them as written, for their columns.
    """

    general: Cells = field(default_factory=dict)
    campaigns: dict[str, Cells] = field(default_factory=dict)
    nodes: tuple[Mapping, ...] = ()

    def under(self, job: Cells) -> Cells:
        """Return a job with the defaults for what it does not say itself."""
        said = _over(self.general, job)
        if not self.campaigns:
            return said
        special = self.campaigns.get(said.get("campaign", "").strip())
        return said if special is None else _over(_over(self.general, special), job)


def _over(below: Cells, above: Cells) -> Cells:
    """Return cells laid over others; an image also replaces one that is given the other way."""
    if any(above.get(name) for name in _IMAGES):
        below = {name: text for name, text in below.items() if name not in _IMAGES}
    return below | above


def read_defaults(file: str, tree: Mapping) -> Defaults:
    """Read the defaults of a manifest and of its campaigns.

    Raises:
        ManifestError: several jobs can't have them.
    """
    general = _defaults(file, "defaults", tree.get("defaults"), FORBIDDEN[:1])
    campaigns = {}
    for name, facts in _campaigns(file, tree.get("campaigns")):
        where = f"campaigns.{shorten(name)}.defaults"
        found = _defaults(file, where, facts.get("defaults"), FORBIDDEN)
        if found is not None:
            campaigns[name] = found
    return Defaults(
        {} if general is None else _cells(general),
        {name: _cells(node) for name, node in campaigns.items()},
        (*([] if general is None else [general]), *campaigns.values()),
    )


def read_settings(file: str, tree: Mapping) -> Settings:
    """Read the batch's name and the caps.

    Raises:
        ManifestError: they can't be used.
    """
    batch = tree.get("batch")
    try:
        name = None if batch is None else values.batch(single(file, "batch", batch))
    except CellError as error:
        raise refused(file, error.problem, error.remedy, column="batch") from error
    budgets = {
        campaign: _money(file, f"campaigns.{campaign}.budget", facts.get("budget"))
        for campaign, facts in _campaigns(file, tree.get("campaigns"))
    }
    return Settings(
        batch=name,
        budget=_money(file, "budget", tree.get("budget")),
        campaign_budgets={name: budget for name, budget in budgets.items() if budget is not None},
    )


def _campaigns(file: str, node: Node | None) -> Iterator[tuple[str, Mapping]]:
    """Return the campaigns by their names without outer white space."""
    if node is None or blank(node):
        return
    seen: set[str] = set()
    for name, facts in node.entries if isinstance(node, Mapping) else [(None, node)]:
        if name is None or not _is_campaign(facts):
            raise refused(
                file,
                "a campaign can only have a budget and defaults",
                "Write campaigns: {NAME: {budget: 5.00}}.",
                row=facts.line if name is None else name.line,
                column=None if name is None else shorten(name.text),
            )
        try:
            campaign = values.campaign(name.text)
        except CellError as error:
            raise refused(file, error.problem, error.remedy, row=facts.line) from error
        if campaign in seen:
            raise refused(file, f"duplicate campaign {campaign!r}", "Remove one.", row=facts.line)
        if campaign is not None:
            seen.add(campaign)
            yield campaign, facts


def _is_campaign(node: Node) -> TypeGuard[Mapping]:
    return isinstance(node, Mapping) and all(key.text in OF_CAMPAIGN for key, _ in node.entries)


def _defaults(
    file: str, where: str, node: Node | None, forbidden: tuple[str, ...]
) -> Mapping | None:
    if node is None or blank(node):
        return None
    if not isinstance(node, Mapping):
        raise refused(file, f"{where!r} is a mapping", "Write it like one job.", row=node.line)
    seen: set[str] = set()
    for name, key, value in named(node):
        if name in forbidden:
            problem = "an id can't be the same for all jobs"
            if name == "campaign":
                problem = "the jobs of a campaign already have one"
            raise refused(file, problem, "Remove it.", row=key.line)
        if name in seen:
            raise refused(
                file, f"{where!r} has {shorten(name)!r} twice", "Remove one of them.", row=key.line
            )
        seen.add(name)
        if name in FREE:
            refuse_cut(file, value)
        if name in SYNONYMS:
            single(file, f"{where}.{shorten(key.text)}", value)
        elif value.depth and value.weight > LARGEST_VALUE:
            raise refused(
                file,
                "is too large to be copied to the export",
                "Remove it.",
                row=key.line,
                column=f"{where}.{shorten(key.text)}",
            )
    return node


def _cells(node: Mapping) -> Cells:
    return {name: as_cell(value) for name, _, value in named(node)}


def _money(file: str, where: str, node: Node | None) -> Decimal | None:
    if node is None or (isinstance(node, Scalar) and node.null):
        return None
    text = single(file, where, node)
    try:
        return values.money(text)
    except CellError as error:
        raise refused(
            file, error.problem, error.remedy, row=node.line, column=where, found=text
        ) from error
