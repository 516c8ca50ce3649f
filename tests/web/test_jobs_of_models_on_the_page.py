"""The list of jobs and the gallery are narrowed to a model, or a family of models."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest
from support.site import Folder, Site, client, serving

MADE_BY = {
    "kite": "runblob/veo/veo_3_fast/video+image",
    "owl": "runblob/veo/veo_3_quality/video",
    "fox": "runblob/kling/kling_2.6/5",
    "storm": "runblob/veo/veo_3_fast/video",
}


@pytest.fixture
def http(world: Folder) -> Iterator[httpx.Client]:
    """A client of pages over a batch of several models."""
    with closing(sqlite3.connect(world.path / "batchsora.db")) as database, database:
        for key, kind in MADE_BY.items():
            database.execute("UPDATE job SET kind = ? WHERE key = ?", (kind, key))
    with serving(world) as site, client(site) as found:
        yield found


def keys(http: httpx.Client, query: str) -> list[str]:
    text = http.get(f"/batches/1/jobs?{query}").text
    return re.findall(r'href="/jobs/[^"]*"[^>]*>([a-z]+)</a>', text)


@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("veo_3_fast", {"kite", "storm"}),
        ("veo", {"kite", "owl", "storm"}),
        ("kling_2.6", {"fox"}),
        ("sora", {"train", "tea"}),
        ("kling_1.6", set()),
        ("", {"kite", "owl", "fox", "storm", "train", "tea"}),
        ("no such", {"kite", "owl", "fox", "storm", "train", "tea"}),
    ],
)
def test_jobs_of_a_model(http: httpx.Client, model: str, found: set[str]) -> None:
    assert set(keys(http, f"model={model}")) == found


def test_the_choice_is_offered_and_kept(http: httpx.Client) -> None:
    """A family where several of its models are there; links keep the filter."""
    text = http.get("/batches/1/jobs?model=veo").text
    offered = text.partition('name="model"')[2].partition("</select>")[0]
    assert re.findall(r">([^<>]+)</option>", offered) == [
        *("any", "kling_2.6", "sora", "veo", "veo_3_fast", "veo_3_quality")
    ]
    assert "<option selected>veo</option>" in offered
    assert re.search(r'href="/jobs/[0-9]+\?[^"]*model=veo', text)


def test_the_gallery_has_the_videos_of_the_model(http: httpx.Client) -> None:
    page = http.get("/batches/1/gallery?model=veo_3_fast").text
    assert "a paper kite" in page
    assert "a night train" not in page


def test_what_is_retried_is_what_the_list_shows(http: httpx.Client) -> None:
    """No job of another model."""
    asked = http.get("/batches/1/retry?kind=content&model=veo_3_fast").text
    assert "Buy it" in asked
    assert "Buy it" not in http.get("/batches/1/retry?kind=content&model=kling_2.6").text


def test_one_model_is_no_choice(site: Site) -> None:
    with client(site) as http:
        assert 'name="model"' not in http.get("/batches/1/jobs").text
        assert 'name="model"' not in http.get("/batches/1/gallery").text
