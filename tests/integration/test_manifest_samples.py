"""The samples that people begin with, and the manual page about them."""

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from batchsora.manifest.read import READERS, open_manifest
from batchsora.manifest.rows.headers import SYNONYMS
from batchsora.result_columns import RESULT_NAMES
from jobs.model.spec import JobSpec


def jobs(path: Path) -> list[JobSpec]:
    manifest = open_manifest(path)
    assert manifest.warnings == ()
    found = list(manifest.rows())
    assert all(isinstance(item, JobSpec) for item in found), found
    return [item for item in found if isinstance(item, JobSpec)]


def test_the_spreadsheet_shows_everything(project: Path) -> None:
    """Every kind of row that a beginner looks for is in it, and all of them are valid."""
    found = jobs(project / "sample_manifests" / "campaign.csv")
    assert len(found) == 13
    assert len({job.row for job in found}) == 12
    requests = [job.request for job in found]
    assert {request.orientation for request in requests} == {"9:16", "16:9"}
    assert {request.duration for request in requests} == {10, 15}
    assert ("16:9", 15) in {(request.orientation, request.duration) for request in requests}
    media = Counter(r.image.media_type or "address" for r in requests if r.image is not None)
    assert media == {"image/png": 2, "image/webp": 1, "image/jpeg": 1, "address": 1}
    assert {job.campaign for job in found} == {"spring", "summer", "autumn", None}
    assert "spring-03#2" in {job.key for job in found}
    assert [job.key_from_content for job in found].count(True) == 1
    assert all(job.cells["title"] for job in found)


def test_the_yaml_shows_the_rest(project: Path) -> None:
    """Budget, caps of campaigns and defaults are used, and add up."""
    path = project / "sample_manifests" / "overnight.yaml"
    manifest = open_manifest(path)
    assert manifest.name == "overnight"
    assert manifest.budget == Decimal("4.00")
    assert manifest.campaign_budgets == {"product": Decimal("2.00"), "mood": Decimal("1.50")}
    found = jobs(path)
    assert len(found) == 10
    assert {job.campaign for job in found} == {"product", "mood"}
    assert {job.request.orientation for job in found} == {"9:16", "16:9"}


def test_the_table_of_three_models(project: Path) -> None:
    """Each family has its own lengths, formats and parameters, and all rows are valid."""
    found = {job.key: job.request for job in jobs(project / "sample_manifests/three_models.csv")}
    assert Counter(one.model for one in found.values()) == {
        "sora": 2,
        "veo_3_fast": 2,
        "kling_2.6": 1,
        "kling_2.5_turbo": 1,
    }
    assert found["harbour-veo"].duration is None
    assert found["harbour-veo"].parameters == {"seed": 1204}
    assert found["harbour-kling"].parameters["cfg_scale"] == 0.6
    assert found["dunes-kling"].orientation == "1:1"
    assert list(found["kite-to-night"].images) == ["end"]


def test_the_yaml_of_three_models(project: Path) -> None:
    """Its defaults stand where the models take them, which is said."""
    manifest = open_manifest(project / "sample_manifests" / "three_models.yaml")
    found = {job.key: job for job in manifest.rows() if isinstance(job, JobSpec)}
    assert {key: job.request.model for key, job in found.items()} == {
        "square-sora": "sora",
        "square-kling": "kling_2.6",
        "square-veo": "veo_3_fast",
        "square-final": "veo_3_quality",
        "day-to-night": "veo_3_fast",
    }
    assert [job.request.duration for job in found.values()] == [10, 10, None, None, None]
    seeds = [job.request.parameters.get("seed") for job in found.values()]
    assert seeds == [None, 77, 77, 78, 77]
    assert {one.column for one in manifest.warnings} == {"duration", "seed", "negative_prompt"}
    assert manifest.suspicious_columns == ()


def test_the_pictures_are_small(project: Path) -> None:
    """Samples are part of every installation."""
    sizes = [p.stat().st_size for p in (project / "sample_manifests" / "images").iterdir()]
    assert len(sizes) == 4
    assert max(sizes) < 30_000


@pytest.mark.parametrize("page", ["docs/manifests.md", "sample_manifests/README.md"])
def test_the_pages_name_every_column(project: Path, page: str) -> None:
    """A column that the program knows is explained."""
    text = (project / page).read_text(encoding="utf-8")
    assert [name for name in SYNONYMS if f"`{name}`" not in text] == []


def test_the_manual_is_complete(project: Path) -> None:
    """Synonyms, result columns and formats stand on the page."""
    text = (project / "docs" / "manifests.md").read_text(encoding="utf-8")
    names = [synonym for synonyms in SYNONYMS.values() for synonym in synonyms]
    assert [name for name in (*names, *RESULT_NAMES) if f"`{name}`" not in text] == []
    assert {".csv", ".yaml"} <= READERS.keys()


def test_the_yaml_of_the_manual_is_one(project: Path, tmp_path: Path) -> None:
    """The example on the page can be pasted."""
    text = (project / "docs" / "manifests.md").read_text(encoding="utf-8")
    example = text.split("```yaml\n")[1].split("```")[0]
    (tmp_path / "m.yaml").write_text(example, encoding="utf-8")
    assert [job.request.orientation for job in jobs(tmp_path / "m.yaml")] == ["9:16", "9:16"]
