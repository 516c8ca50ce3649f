"""Files of the catalog of models: what is wrong in one is named by file and key."""

from pathlib import Path

import pytest

from batchsora.providers.model_files import read_models
from batchsora.providers.runblob import catalog

FOLDER = Path(catalog.__file__).parent
KLING = (FOLDER / "kling_2.5_turbo.toml").read_text(encoding="utf-8")


def read(tmp_path: Path, text: str) -> str:
    (tmp_path / "kling_9.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"^kling_9\.toml: ") as error:
        read_models(tmp_path)
    return str(error.value).removeprefix("kling_9.toml: ")


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (
            "longest_prompt = 2500",
            "longest_promt = 2500",
            "unknown key 'longest_promt'; did you mean 'longest_prompt'?",
        ),
        (
            "longest_prompt = 2500",
            'longest_prompt = "2500"',
            "'longest_prompt' must be a whole number",
        ),
        (
            "longest_prompt = 2500",
            "longest_prompt = true",
            "'longest_prompt' must be a whole number",
        ),
        ("longest_prompt = 2500", "", "it lacks 'longest_prompt'"),
        ("durations = [5, 10]", "durations = 5", "'durations' must be a list of whole numbers"),
        (
            "durations = [5, 10]",
            'durations = [5, "10"]',
            "'durations' must be a list of whole numbers",
        ),
        ('"16:9", "9:16", "1:1"', "", "'orientations' must not be empty"),
        ('evidence = "ordered"', 'evidence = "vague"', "'evidence' must be one of"),
        ("young = 30", 'young = "30"', "'times.young' must be a number"),
        ("young = 30", "younger = 30", "unknown key 'times.younger'; did you mean 'young'?"),
        ("young = 30, ", "", "it lacks 'times.young'"),
        ('[["start"]]', '["start"]', "'together' must be a list of lists of texts"),
        (
            'address = "image_url"',
            'adress = "image_url"',
            "unknown key 'images.start.adress'; did you mean 'address'?",
        ),
        ('address = "image_url"', "address = 7", "'images.start.address' must be a text"),
        (
            'start = { file = "image_base64", address = "image_url" }',
            'start = "image_base64"',
            "'images.start' must be a table",
        ),
        (
            "least = 0, most = 1,",
            'least = "0", most = 1,',
            "'parameters.cfg_scale.least' must be a number",
        ),
        (
            'type = "number", least',
            'type = "decimal", least',
            "'parameters.cfg_scale.type' must be one of",
        ),
        ('{ type = "number", least', "{ least", "it lacks 'parameters.cfg_scale.type'"),
        (
            'help = "how closely',
            'note = "how closely',
            "unknown key 'parameters.cfg_scale.note'; it may have ",
        ),
        ("as_text =", "mark = 3\nas_text =", "'mark' must be a text"),
        ("as_text =", 'like = "nothing"\nas_text =', "there is no file nothing.toml"),
        ("as_text =", "like = 3\nas_text =", "'like' must be a text"),
        ("as_text =", "prices = 3\nas_text =", "'prices' must be a table"),
        (
            "as_text =",
            'prices = { "5" = { usd = "0.1", source = "a" } }\nas_text =',
            "it lacks 'prices.5.read_on'",
        ),
        (
            "as_text =",
            'prices = { "5" = { usd = "much", source = "a", read_on = 2026-12-01 } }\nas_text =',
            "'prices.5.usd' must be",
        ),
        (
            "as_text =",
            'prices = { "5" = { usd = "0.1", source = "a", read_on = "soon" } }\nas_text =',
            "'prices.5.read_on' must be a date",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, before: str, after: str, says: str) -> None:
    """With the keys that there are."""
    assert before in KLING
    assert read(tmp_path, KLING.replace(before, after)).startswith(says)


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    assert "Invalid value" in read(tmp_path, "provider =")


def test_the_catalog_itself_is_read(tmp_path: Path) -> None:
    (tmp_path / "kling_9.toml").write_text(KLING, encoding="utf-8")
    assert [*read_models(tmp_path)] == ["kling_2.5_turbo"]
    assert len(read_models(FOLDER)) == len([*FOLDER.glob("*.toml")])
