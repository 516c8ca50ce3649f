"""Floors under dependencies: below them stands a fault that is known, and reaches what we do.

No database of advisories can be asked offline, so the reasons stand here, beside the floors. Each
number and the version that fixes it was read in November 2026 in one of these:

- OSV, the PyPA or the GitHub advisory database: CVE-2025-62727 (starlette 0.49.1), CVE-2026-54283
  (PYSEC-2026-249, starlette 1.3.1), CVE-2026-69244 (aiohttp 3.14.3), CVE-2026-40347
  (GHSA-mj87-hwqh-73pj, python-multipart 0.0.26), CVE-2026-42308 (GHSA-wjx4-4jcj-g98j, pillow 12.2);
- the CVE list itself: CVE-2026-25990 (pillow 12.1.1), CVE-2026-42308;
- the library's own release notes: pillow 13.0 (CVE-2026-96639, GHSA-5x8w-8jj5-q52h);
- only what other projects wrote when they raised it: CVE-2026-48710 (starlette 1.0.1,
  GHSA-86qp-5c8j-p5mr), CVE-2026-22815 (aiohttp 3.13.4), CVE-2026-53539 (GHSA-5rvq-cxj2-64vf,
  python-multipart 0.0.30), CVE-2026-53540 (GHSA-v9pg-7xvm-68hf, 0.0.31).
"""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

FLOORS = {
    "starlette": (
        "1.3.1",
        "CVE-2025-62727 CVE-2026-48710: the page's requests; CVE-2026-54283: its login form",
    ),
    "aiohttp": (
        "3.14.3",
        "CVE-2026-22815 CVE-2026-69244: what the API and file servers answer",
    ),
    "python-multipart": (
        "0.0.31",
        "CVE-2026-40347 CVE-2026-53539 CVE-2026-53540: the page's forms and uploads",
    ),
    "pillow": (
        "13.0",
        "CVE-2026-25990 CVE-2026-42308 CVE-2026-96639 GHSA-5x8w-8jj5-q52h: other people's pictures",
    ),
}


@pytest.fixture
def settings(project: Path) -> Any:
    return tomllib.loads((project / "pyproject.toml").read_text())


def asked(settings: Any) -> list[Requirement]:
    """Give every requirement, of whichever extra or group."""
    lists = [
        settings["project"]["dependencies"],
        *settings["project"]["optional-dependencies"].values(),
        *settings["dependency-groups"].values(),
    ]
    own = settings["project"]["name"]  # the extra "all" names the others
    found = [Requirement(one) for some in lists for one in some if isinstance(one, str)]
    return [one for one in found if one.name != own]


def pins(lock: Path) -> dict[str, Version]:
    found = re.findall(r"(?m)^([a-z0-9.-]+)==(\S+)", lock.read_text())
    return {name: Version(version) for name, version in found}


@pytest.mark.parametrize("name", FLOORS)
def test_no_version_with_a_known_fault_may_be_installed(
    name: str, settings: Any, project: Path
) -> None:
    """Neither by what the package asks for, wherever it does, nor by what the locks pin."""
    floor, why = FLOORS[name]
    places = [one for one in asked(settings) if one.name == name]
    assert places, name
    for place in places:
        (lowest,) = [one for one in place.specifier if one.operator == ">="]
        assert Version(lowest.version) >= Version(floor), why
    for lock in ("dev.txt", "user.txt"):
        assert pins(project / "requirements" / lock)[name] >= Version(floor), why


def test_the_user_s_lock_pins_all_extras_with_hashes(settings: Any, project: Path) -> None:
    """``pip install --require-hashes -r`` takes it as it is, from whichever index."""
    lock = project / "requirements" / "user.txt"
    text, pinned = lock.read_text(), pins(lock)
    extras = settings["project"]["optional-dependencies"].values()
    wanted = [*settings["project"]["dependencies"], *(one for some in extras for one in some)]
    wanted.remove(*settings["project"]["optional-dependencies"]["all"])
    for one in map(Requirement, [*wanted, *settings["dependency-groups"]["build"]]):
        assert one.specifier.contains(pinned[one.name]), one
    assert "://" not in text
    blocks = re.split(r"(?m)^(?=[a-z0-9.-]+==)", text)[1:]
    assert all("--hash=sha256:" in block for block in blocks)


def test_all_is_every_extra(settings: Any) -> None:
    """One name for all that not everyone needs."""
    extras = settings["project"]["optional-dependencies"]
    (all_of_them,) = map(Requirement, extras["all"])
    assert all_of_them.name == settings["project"]["name"]
    assert all_of_them.extras == set(extras) - {"all"}


def test_what_is_tested_is_what_a_user_installs(project: Path) -> None:
    """Both locks pin the same versions, so that the tests speak for the user's."""
    tested = pins(project / "requirements" / "dev.txt")
    installed = pins(project / "requirements" / "user.txt")
    assert {name: tested[name] for name in installed if name in tested} == {
        name: version for name, version in installed.items() if name in tested
    }
