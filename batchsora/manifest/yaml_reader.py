"""Reads YAML: a mapping with ``jobs`` and settings, or a bare list of jobs or of prompts.

Every job becomes a row like one of CSV; its columns are all keys that any job uses. What
``defaults`` says stands under every job that does not say it itself.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from batchsora.manifest import values
from batchsora.manifest.columns import SYNONYMS, meaning, proper
from batchsora.manifest.errors import CellError, RowProblem, refused, shorten
from batchsora.manifest.raw import RawRow, Settings
from batchsora.manifest.yaml_tree import Mapping, Node, Scalar, Sequence, read_tree

TOP_LEVEL: Final = ("jobs", "batch", "budget", "campaigns", "defaults")
LARGEST_VALUE: Final = 10_000
"""The weight up to which a list or mapping is carried through, as JSON text in one cell."""

_IMAGES: Final = frozenset({"image", "image_url"})
_JSON_LITERAL = re.compile(r"true|false|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")

# What one job says: by the column's identity its key as written and its value as a cell.
_Job = dict[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class YamlTable:
    """A YAML manifest, read whole.

    Attributes:
        path: the file.
        names: every column's identity: what it means, or somebody's own key.
        headers: the same columns as written, in their first spelling.
        header_row: None; keys stand with every job.
        settings: what stands beside the jobs.
        jobs: as written.
        defaults: as written.
    """

    path: Path
    names: tuple[str, ...]
    headers: tuple[str, ...]
    header_row: None
    settings: Settings
    jobs: tuple[Node, ...]
    defaults: Mapping | None

    def rows(self) -> Iterator[RawRow | RowProblem]:
        """Give the jobs as rows; empty ones are left out."""
        defaults = {} if self.defaults is None else _job(self.defaults)
        for node in self.jobs:
            if _blank(node):
                continue
            if isinstance(node, Sequence):
                yield RowProblem(
                    str(self.path),
                    node.line,
                    None,
                    None,
                    "a job is a prompt or a mapping, not a list",
                    "Write '- prompt: …'.",
                )
                continue
            problems = list(self._problems(node))
            if problems:
                yield from problems
                continue
            job = _job(node)
            inherited = defaults
            if any(name in job and job[name][1] for name in _IMAGES):
                # a job's own image takes the place of the default one, whichever way it is given
                inherited = {name: said for name, said in defaults.items() if name not in _IMAGES}
            said = inherited | job
            yield RawRow(node.line, [said[name][1] if name in said else "" for name in self.names])

    def _problems(self, node: Scalar | Mapping) -> Iterator[RowProblem]:
        """Find what makes a job unreadable: a column given twice, or one of ours not as a text."""
        seen: dict[str, str] = {}
        for name, key, value in () if isinstance(node, Scalar) else _named(node):
            if name in seen:
                yield RowProblem(
                    str(self.path),
                    node.line,
                    key.text,
                    None,
                    f"means the same as {seen[name]!r} in the same job",
                    "Remove one of them.",
                )
            seen[name] = key.text
            if name in SYNONYMS and not isinstance(value, Scalar):
                yield RowProblem(
                    str(self.path),
                    value.line,
                    key.text,
                    None,
                    "must be a single value",
                    "Write it as one text; for several videos write several jobs.",
                )
            elif value.depth and value.weight > LARGEST_VALUE:
                yield RowProblem(
                    str(self.path),
                    value.line,
                    key.text,
                    None,
                    "is too large to be carried through",
                    "Keep it elsewhere, and carry its name.",
                )


def open_yaml(path: Path) -> YamlTable:
    """Read a YAML manifest.

    Raises:
        ManifestError: it is not YAML, or not a manifest.
    """
    file = str(path)
    tree = read_tree(path)
    if isinstance(tree, Sequence):
        tree = Mapping(
            ((Scalar("jobs", plain=True, line=tree.line), tree),),
            tree.line,
            tree.weight,
            tree.depth,
        )
    if not isinstance(tree, Mapping):
        raise refused(
            file, "this is no list of jobs", "Write 'jobs:' and a list of jobs.", row=tree.line
        )
    for key, _ in tree.entries:
        if key.text not in TOP_LEVEL:
            likely = get_close_matches(shorten(key.text), TOP_LEVEL, 1)
            raise refused(
                file,
                f"the key {shorten(key.text)!r} means nothing at the top of a manifest",
                f"Did you mean {likely[0]!r}?" if likely else f"Known: {', '.join(TOP_LEVEL)}.",
                row=key.line,
            )
    jobs = tree.get("jobs")
    if not isinstance(jobs, Sequence) or not jobs.items:
        raise refused(
            file,
            "there are no jobs",
            "Write 'jobs:' and below it a list, each job beginning with '- prompt:'.",
            row=tree.line if jobs is None else jobs.line,
        )
    defaults = _defaults(file, tree.get("defaults"))
    names, headers = _columns(jobs, defaults)
    settings = _settings(file, tree)
    return YamlTable(path, names, headers, None, settings, jobs.items, defaults)


def _settings(file: str, tree: Mapping) -> Settings:
    batch = tree.get("batch")
    campaigns = tree.get("campaigns")
    try:
        name = None if batch is None else values.batch(_single(file, "batch", batch))
    except CellError as error:
        raise refused(file, error.problem, error.remedy, column="batch") from error
    return Settings(
        batch=name,
        budget=_money(file, "budget", tree.get("budget")),
        campaign_budgets={} if campaigns is None else _campaigns(file, campaigns),
    )


def _campaigns(file: str, node: Node) -> dict[str, Decimal]:
    if _blank(node):
        return {}
    budgets: dict[str, Decimal] = {}
    for name, facts in node.entries if isinstance(node, Mapping) else [(None, node)]:
        column = None if name is None else name.text
        entries = facts.entries if isinstance(facts, Mapping) else None
        if column is None or entries is None or any(key.text != "budget" for key, _ in entries):
            raise refused(
                file,
                "a campaign has a budget and nothing else",
                "Write campaigns: {NAME: {budget: 5.00}}.",
                row=facts.line if name is None else name.line,
                column=None if column is None else shorten(column),
            )
        try:
            campaign = values.campaign(column)
        except CellError as error:
            raise refused(file, error.problem, error.remedy, row=facts.line) from error
        for _, value in entries:
            budget = _money(file, f"campaigns.{column}.budget", value)
            if campaign is not None and budget is not None:
                budgets[campaign] = budget
    return budgets


def _defaults(file: str, node: Node | None) -> Mapping | None:
    if node is None or _blank(node):
        return None
    if not isinstance(node, Mapping):
        raise refused(file, "'defaults' is a mapping", "Write it like one job.", row=node.line)
    seen: set[str] = set()
    for name, key, value in _named(node):
        if name == "id":
            raise refused(file, "an id can't be the same for all jobs", "Remove it.", row=key.line)
        if name in seen:
            raise refused(
                file, f"'defaults' has {shorten(name)!r} twice", "Remove one of them.", row=key.line
            )
        seen.add(name)
        if name in SYNONYMS:
            _single(file, f"defaults.{shorten(key.text)}", value)
        elif value.depth and value.weight > LARGEST_VALUE:
            raise refused(
                file,
                "is too large to be carried through",
                "Remove it.",
                row=key.line,
                column=f"defaults.{shorten(key.text)}",
            )
    return node


def _money(file: str, where: str, node: Node | None) -> Decimal | None:
    if node is None or _blank(node):
        return None
    text = _single(file, where, node)
    try:
        return values.money(text)
    except CellError as error:
        raise refused(
            file, error.problem, error.remedy, row=node.line, column=where, found=text
        ) from error


def _single(file: str, where: str, node: Node) -> str:
    if not isinstance(node, Scalar):
        raise refused(
            file, "must be a single value", "Write it as one text.", row=node.line, column=where
        )
    return _text(node)


def _columns(jobs: Sequence, defaults: Mapping | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Collect the columns of all jobs: what each is, and its first spelling."""
    columns: dict[str, str] = {}
    for node in (*jobs.items, *(() if defaults is None else (defaults,))):
        if isinstance(node, Mapping):
            for name, key, _ in _named(node):
                columns.setdefault(name, key.text)
        elif not _blank(node):
            columns.setdefault("prompt", "prompt")
    # "name" may be one job's id, and another's own column beside its "id"
    spellings = Counter(columns.values())
    headers = (name if spellings[key] > 1 else key for name, key in columns.items())
    return tuple(columns), tuple(headers)


def _named(node: Mapping) -> Iterator[tuple[str, Scalar, Node]]:
    """Give a job's values with their column: ours by its meaning, somebody's own by its key.

    A synonym beside the proper name is somebody's own, as in any other format.
    """
    given = {meaning(key.text) for key, _ in node.entries if proper(key.text)}
    for key, value in node.entries:
        name = meaning(key.text)
        own = name is None or (name in given and not proper(key.text))
        yield key.text if own or name is None else name, key, value


def _job(node: Scalar | Mapping) -> _Job:
    if isinstance(node, Scalar):
        return {"prompt": ("prompt", node.text)}
    return {name: (key.text, _text(value)) for name, key, value in _named(node)}


def _blank(node: Node) -> bool:
    if isinstance(node, Scalar):
        return node.null
    return isinstance(node, Mapping) and not node.entries


def _text(node: Node) -> str:
    """Write a value as a cell: a single one as it was written, whatever else as JSON."""
    if isinstance(node, Scalar):
        return "" if node.null else node.text
    return _json(node)


def _json(node: Node) -> str:
    match node:
        case Scalar():
            if node.null:
                return "null"
            literal = node.plain and _JSON_LITERAL.fullmatch(node.text)
            return node.text if literal else json.dumps(node.text, ensure_ascii=False)
        case Sequence():
            return f"[{', '.join(_json(item) for item in node.items)}]"
        case Mapping():
            pairs = (
                f"{json.dumps(key.text, ensure_ascii=False)}: {_json(value)}"
                for key, value in node.entries
            )
            return f"{{{', '.join(pairs)}}}"
