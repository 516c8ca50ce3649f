"""Every change of a state goes along the tables of jobs/model/states.py."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.blank import blank

from jobs.model.states import (
    ATTEMPT_BEGINNINGS,
    ATTEMPT_TRANSITIONS,
    JOB_TRANSITIONS,
    AttemptState,
    JobState,
    attempt_beginning,
    attempt_target,
    target,
)
from jobs.store import Store
from jobs.store.rows import change_job, move_attempt, move_job, moving_jobs, new_attempt

MOVERS = "rows.py"
"""The module with the functions that move: it asks the tables."""

IN_SQL = re.compile(r"(?:\bSET|,)\s+(?:\w+\.)?state\s*=|INSERT\s+INTO\s+(?:job|attempt)\b")


def sets_a_state(source: str) -> Iterator[int]:
    """List the lines of a module that give a state to a job or an attempt."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Attribute(attr="values"), keywords=keywords):
                yield from (one.value.lineno for one in keywords if one.arg == "state")
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if _is_state(key) and _names_a_state(value):
                        yield value.lineno
            case ast.Subscript(slice=key, ctx=ast.Store()) if _is_state(key):
                yield node.lineno
            case ast.Constant(value=str(words)) if IN_SQL.search(words):
                yield node.lineno


def _is_state(key: ast.expr | None) -> bool:
    match key:
        case (
            ast.Constant(value="state") | ast.Attribute(attr="state", value=ast.Attribute(attr="c"))
        ):
            return True
    return False


def _names_a_state(value: ast.expr) -> bool:
    return any(
        isinstance(node, ast.Name) and node.id in ("JobState", "AttemptState", "bindparam")
        for node in ast.walk(value)
    )


def test_nothing_but_the_movers_sets_a_state(project: Path) -> None:
    """A state that were set beside the table could buy twice: no module of the store does it."""
    modules = sorted((project / "jobs").rglob("*.py"))
    assert any(sets_a_state((project / "jobs" / "store" / MOVERS).read_text(encoding="utf-8")))
    found = {
        str(module.relative_to(project)): lines
        for module in modules
        if module.name != MOVERS and (lines := [*sets_a_state(module.read_text(encoding="utf-8"))])
    }
    assert found == {}


@pytest.mark.parametrize(
    "statement",
    [
        "update(JOB).where(here).values(state=JobState.QUEUED, row=1)",
        "JOB.update().values({'state': JobState.QUEUED})",
        "update(JOB).values({JOB.c.state: JobState.QUEUED})",
        "values = {'row': 1, 'state': bindparam('to')}",
        "values['state'] = JobState.QUEUED",
        "text('UPDATE job SET row = 1, state = :to')",
        "text('INSERT INTO attempt VALUES (1)')",
    ],
)
def test_each_way_to_set_a_state_is_found(statement: str) -> None:
    """The search knows the ways in which SQLAlchemy lets a column be set."""
    assert [*sets_a_state(statement)] == [1]


@pytest.mark.parametrize(
    "statement",
    [
        "select(JOB).where(JOB.c.state == JobState.QUEUED)",
        "ORDER = {'state': (JOB.c.state, JOB.c.id)}",
        "text('SELECT id FROM job WHERE state = 1 AND handed')",
        "Standing(state=JobState(row.state))",
        "jobs[row.state] += 1",
    ],
)
def test_what_only_reads_a_state_is_not_found(statement: str) -> None:
    """Conditions, orders and values of ours are no change."""
    assert [*sets_a_state(statement)] == []


def test_a_transition_leads_to_one_state() -> None:
    """So its name alone says what becomes of a job or an attempt."""
    for _, name, new in JOB_TRANSITIONS:
        assert target(name) is new
    for _, name, attempt_state in ATTEMPT_TRANSITIONS:
        assert attempt_target(name) is attempt_state
    for name, first in ATTEMPT_BEGINNINGS:
        assert attempt_beginning(name) is first
        assert name in {transition for _, transition, _ in JOB_TRANSITIONS}


def test_a_move_that_is_in_no_table_is_refused(tmp_path: Path) -> None:
    """The movers raise before they touch the database."""
    blank(tmp_path / "b.db")
    with Store(tmp_path / "b.db") as store:
        for wrong in (
            lambda c: move_job(c, 1, "accept", JobState.COMPLETED),
            lambda c: move_job(c, 1, "no such", JobState.COMPLETED),
            lambda c: move_attempt(c, 1, "void", AttemptState.REJECTED),
        ):
            with pytest.raises(ValueError, match=r"leads to|unpack"):
                store.write(wrong)
        job = SimpleNamespace(id=1, state=JobState.PENDING)
        with pytest.raises(KeyError, match="pending"):
            store.write(lambda c: change_job(c, job, {}, JobState.QUEUED))
    with pytest.raises(ValueError, match="does not start"):
        moving_jobs("redo", only=JobState.PENDING)
    with pytest.raises(ValueError, match="unpack"):
        new_attempt("accept")
