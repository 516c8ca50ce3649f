import re
import tomllib
from pathlib import Path

import pytest
from design_diagrams import DIAGRAMS, draw, redraw

from jobs.model.errors import EngineError
from jobs.model.states import AttemptState, FailureKind, JobState


@pytest.fixture(scope="module")
def design(project: Path) -> str:
    return (project / "docs" / "design.md").read_text(encoding="utf-8")


def test_the_diagrams_are_those_of_the_tables(design: str) -> None:
    """docs/design.md draws exactly the transitions of jobs/model/states.py (else: make docs)."""
    assert redraw(design) == design


@pytest.mark.parametrize("name", DIAGRAMS)
def test_a_diagram_shows_every_transition(name: str) -> None:
    """Each row of a table is found again in its drawing, from the right state to the right one."""
    first, transitions = DIAGRAMS[name]
    drawn = {
        (old, transition, new)
        for old, new, names in re.findall(
            r"^ +(\w+) --> (\w+): (.+)$", draw(first, transitions), re.MULTILINE
        )
        for transition in names.split(", ")
    }
    assert drawn == {(str(old), transition, str(new)) for old, transition, new in transitions}


def test_redrawing_mends_a_stale_page(design: str) -> None:
    """A page whose arrows were edited by hand comes back as the tables say."""
    stale = design.replace("queued --> submitting: claim", "queued --> completed: wish")
    assert stale != design
    assert redraw(stale) == design


def test_a_page_without_markers_is_refused() -> None:
    """Losing the markers is noticed, rather than leaving a page that nothing keeps true."""
    with pytest.raises(ValueError, match="markers"):
        redraw("# Design")


@pytest.mark.parametrize("words", [JobState, AttemptState, FailureKind])
def test_every_state_and_kind_is_named(project: Path, design: str, words: type) -> None:
    """The pages of the contract name every state and every kind of failure in code font."""
    pages = design + (project / "docs" / "money.md").read_text(encoding="utf-8")
    missing = [str(word) for word in words if not re.search(rf"\b{word}\b", pages)]
    assert missing == []


def test_every_engine_error_has_an_exit_code_of_the_table(project: Path, design: str) -> None:
    """The error tree in jobs/model/errors.py promises only exit codes that design.md lists."""
    header = re.search(r"^## Exit codes\n+\|(.+)\|$", design, re.MULTILINE)
    assert header is not None
    codes = {int(cell) for cell in header[1].split("|")}
    tree = (project / "jobs" / "model" / "errors.py").read_text(encoding="utf-8")
    promised = {name: int(code) for name, code in re.findall(r"── (\w+) .*\(exit (\d+)\)", tree)}
    assert set(promised) == {error.__name__ for error in EngineError.__subclasses__()}
    assert set(promised.values()) <= codes


def test_every_crash_point_is_described(project: Path) -> None:
    """docs/development.md lists exactly the checkpoints that the engine passes."""
    passed = {
        name
        for module in (project / "jobs").rglob("*.py")
        for name in re.findall(r'checkpoint\("([\w-]+)"\)', module.read_text(encoding="utf-8"))
    }
    text = (project / "docs" / "development.md").read_text(encoding="utf-8")
    table = text.partition("| checkpoint |")[2].partition("\n\n")[0]
    assert passed
    assert set(re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE)) == passed


def test_links_between_the_pages_lead_somewhere(project: Path) -> None:
    """Every relative link in a page of the project names a file that exists."""
    pages = [*project.glob("*.md"), *project.glob("docs/**/*.md"), *project.glob("sample*/*.md")]
    broken = [
        f"{page.relative_to(project)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []


@pytest.mark.parametrize("folder", ["docs", "docs/decisions"])
def test_the_index_lists_every_page(folder: str, project: Path) -> None:
    """A documentation folder's README links every page beside it, so that none is hidden."""
    pages = {page.name for page in (project / folder).glob("*.md")} - {"README.md"}
    index = (project / folder / "README.md").read_text(encoding="utf-8")
    assert {page for page in pages if f"({page})" not in index} == set()


def test_the_files_that_the_architecture_names_are_there(project: Path) -> None:
    """A newcomer finds what is named, from the project's root or beside the file named before."""
    page = (project / "docs" / "architecture.md").read_text(encoding="utf-8")
    page = page.partition("## What is still provisional")[0]
    named = {
        word for word in re.findall(r"`([\w/*.]+/[\w/*.]*)`", page) if not word.startswith("*")
    }
    roots = [project, project / "batchsora", project / "jobs"]
    assert len(named) > 20
    assert {name for name in named if not any([*root.glob(name)] for root in roots)} == set()


def test_the_layers_of_the_design_are_those_that_are_checked(design: str, project: Path) -> None:
    """What docs/design.md draws as layers is what import-linter holds."""
    settings = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    layers = {
        place: [re.findall(r"\w+", layer) for layer in contract["layers"]]
        for contract in settings["tool"]["importlinter"]["contracts"]
        for place in contract.get("containers", ())
    }
    for house in ("jobs", "batchsora"):
        (drawn,) = re.findall(rf"^{house}/ +(\w+ .+)$", design, re.MULTILINE)
        order = [name for layer in layers[house] for name in layer]
        places = [order.index(name) for name in re.findall(r"\w+", drawn)]
        assert len(places) > 8
        by_layer = [[order.index(name) for name in layer] for layer in layers[house]]
        above = [next(at for at, one in enumerate(by_layer) if place in one) for place in places]
        assert above == sorted(above)
