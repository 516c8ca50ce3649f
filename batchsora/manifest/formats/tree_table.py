"""Manifests that are trees: a mapping with ``jobs`` and settings, or a bare list of jobs.

Every job becomes a row as in CSV, with all keys that any job uses as columns. ``defaults`` apply to
every job that does not set them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from batchsora.manifest import values
from batchsora.manifest.errors import CellError, RowProblem, refused, shorten
from batchsora.manifest.formats.matrix import Matrix, read_matrix
from batchsora.manifest.formats.tree import (
    CUT,
    FREE,
    LARGEST_VALUE,
    LITERAL,
    Mapping,
    Node,
    Scalar,
    Sequence,
    as_cell,
    blank,
    named,
    refuse_cut,
    single,
)
from batchsora.manifest.raw import IMAGES, RawRow, Settings
from batchsora.manifest.rows.headers import is_ours
from batchsora.manifest.rows.spelling import folded
from batchsora.result_columns import RESULT_NAMES

OF_CAMPAIGN: Final = ("budget", "defaults")
FORBIDDEN: Final = ("id", "campaign")
"""Keys that defaults can't have; the general ones may have the campaign."""

Cells = dict[str, str]
"""A job's cells, by what their columns are."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """Values for jobs that do not set them; a campaign's come before the general ones."""

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
    if any(above.get(name) for name in IMAGES):
        below = {name: text for name, text in below.items() if name not in IMAGES}
    return below | above


def read_defaults(file: str, tree: Mapping) -> Defaults:
    """Read the defaults of a manifest and its campaigns; raise ManifestError for invalid ones."""
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
    """Read the batch's name and the caps; raise ManifestError if they can't be used."""
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
        known = isinstance(facts, Mapping) and all(k.text in OF_CAMPAIGN for k, _ in facts.entries)
        if name is None or not isinstance(facts, Mapping) or not known:
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
        if is_ours(name):
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


TOP_LEVEL: Final = ("jobs", "matrix", "batch", "budget", "campaigns", "defaults")
SCHEMA_KEY: Final = "$schema"
"""Shows editors the schema of manifests (:mod:`batchsora.manifest.schema`)."""
OWN: Final = "x-"
"""A key at the top that begins so is a person's own, as in compose files: it may hold anchors."""

_RESULTS: Final = frozenset(map(folded, RESULT_NAMES))


@dataclass(frozen=True, slots=True)
class TreeTable:
    """A YAML or JSON manifest, read whole.

    Attributes:
        names: what each column is: ours, or a person's own key.
        headers: the same columns as written, in their first spelling.
        matrix: what expands to more jobs, which come after those written.
    """

    path: Path
    names: tuple[str, ...]
    headers: tuple[str, ...]
    settings: Settings
    jobs: tuple[Node, ...]
    defaults: Defaults = field(default_factory=Defaults)
    matrix: Matrix = field(default_factory=Matrix)

    header_row = None
    sheet = None

    def rows(self) -> Iterator[RawRow | RowProblem]:
        """Return the jobs as rows, without empty ones."""
        last = 0
        for job in read_jobs(str(self.path), self.jobs):
            if isinstance(job, RowProblem):
                yield job
            else:
                last = job[0]
                yield self._row(*job)
        for line, cells in self.matrix.jobs():
            yield self._row(max(line, last + 1), cells)

    def _row(self, line: int, job: Cells) -> RawRow:
        said = self.defaults.under(job)
        filled = [p for p, name in enumerate(self.names) if name not in job and said.get(name)]
        return RawRow(line, [said.get(name, "") for name in self.names], filled)


def numbered(nodes: Iterable[Node]) -> Iterator[tuple[int, Node]]:
    """Return the jobs that are not blank, each with a row that no other job of the list has.

    It is the line where the job begins; of several on one line each takes the next.
    """
    row = 0
    for node in nodes:
        if not blank(node):
            row = max(node.line, row + 1)
            yield row, node


def read_jobs(file: str, nodes: Iterable[Node]) -> Iterator[tuple[int, Cells] | RowProblem]:
    """Return each job's row and what it says, or what is wrong with it."""
    for row, node in numbered(nodes):
        problems = list(_problems(file, node))
        if problems:
            yield from problems
        elif isinstance(node, Scalar):
            yield row, {"prompt": node.text}
        elif isinstance(node, Mapping):
            yield row, {name: as_cell(value) for name, _, value in named(node)}


def _problems(file: str, node: Node) -> Iterator[RowProblem]:
    """Find what makes a job unreadable: not a job, a duplicate column, or a list in one of ours."""
    if not isinstance(node, Mapping):
        if isinstance(node, Scalar) and node.cut:
            yield RowProblem(file, *CUT, row=node.line, column="prompt", found=shorten(node.text))
        if isinstance(node, Sequence) or (node.plain and LITERAL.fullmatch(node.text)):
            yield RowProblem(
                file,
                (
                    "a job is a prompt or a mapping, not a "
                    + ("list" if isinstance(node, Sequence) else "bare number")
                ),
                "Write a prompt in quotes, or keys with values, one of them 'prompt'.",
                row=node.line,
                found=None if isinstance(node, Sequence) else shorten(node.text),
            )
        return
    seen: dict[str, str] = {}
    for name, key, value in named(node):
        if name in seen:
            yield RowProblem(
                file,
                f"means the same as {seen[name]!r} in the same job",
                "Remove one of them.",
                row=node.line,
                column=key.text,
            )
        seen[name] = key.text
        is_result = folded(key.text) in _RESULTS  # an export's "model" of several videos
        if is_ours(name) and not isinstance(value, Scalar) and not is_result:
            yield RowProblem(
                file,
                "must be a single value",
                "Write it as one text; for several videos write several jobs.",
                row=value.line,
                column=key.text,
            )
        elif name in FREE and isinstance(value, Scalar) and value.cut:
            yield RowProblem(file, *CUT, row=value.line, column=key.text, found=shorten(value.text))
        elif value.depth and value.weight > LARGEST_VALUE and folded(key.text) not in _RESULTS:
            yield RowProblem(
                file,
                "is too large to be copied to the export",
                "Store it elsewhere, and write only its name.",
                row=value.line,
                column=key.text,
            )


def table_of(path: Path, tree: Node) -> TreeTable:
    """Parse a tree as a manifest; raise ManifestError if it is not one."""
    file = str(path)
    if isinstance(tree, Sequence):
        tree = Mapping(
            ((Scalar("jobs", plain=True, line=tree.line), tree),),
            tree.line,
            tree.weight,
            tree.depth,
        )
    if not isinstance(tree, Mapping):
        raise refused(
            file, "this is not a list of jobs", "Give 'jobs' a list of jobs.", row=tree.line
        )
    for key, _ in tree.entries:
        if key.text not in (*TOP_LEVEL, SCHEMA_KEY) and not key.text.startswith(OWN):
            likely = get_close_matches(shorten(key.text), TOP_LEVEL, 1)
            raise refused(
                file,
                f"the key {shorten(key.text)!r} means nothing at the top of a manifest",
                f"Did you mean {likely[0]!r}?"
                if likely
                else f"Known: {', '.join(TOP_LEVEL)}; what only holds anchors, call {OWN}….",
                row=key.line,
            )
    jobs = tree.get("jobs")
    matrix = read_matrix(file, tree.get("matrix"))
    written = jobs.items if isinstance(jobs, Sequence) else ()
    wrong = jobs is not None and not blank(jobs) and not isinstance(jobs, Sequence)
    if wrong or not (written or matrix.entries):
        raise refused(
            file,
            "there are no jobs",
            "Give 'jobs' a list, each job a prompt, or keys with values, one of them 'prompt'.",
            row=tree.line if jobs is None else jobs.line,
        )
    defaults = read_defaults(file, tree)
    names, headers = columns(written, matrix, defaults)
    return TreeTable(path, names, headers, read_settings(file, tree), written, defaults, matrix)


def columns(
    jobs: Iterable[Node], matrix: Matrix, defaults: Defaults
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Collect the columns of all jobs: what each is, and its first spelling."""
    found: dict[str, str] = {}
    for node in jobs:
        collect(node, found)
    for entry in matrix.entries:
        for name, key in entry.headers.items():
            found.setdefault(name, key)
    for node in defaults.nodes:
        collect(node, found)
    return tuple(found), spelt(found)


def collect(node: Node, found: dict[str, str]) -> None:
    """Add the columns of a job to those found: what each is, and how it is written."""
    if isinstance(node, Mapping):
        for name, key, _ in named(node):
            found.setdefault(name, key.text)
    elif not blank(node):
        found.setdefault("prompt", "prompt")


def spelt(found: dict[str, str]) -> tuple[str, ...]:
    """Return unique headers of columns.

    "name" may be one job's id, and another's own column beside its "id".
    """
    spellings = Counter(found.values())
    return tuple(name if spellings[key] > 1 else key for name, key in found.items())
