"""Columns of models: what is not understood stops a run, and what is asked for is bought so."""

from pathlib import Path

import pytest

from batchsora.manifest.errors import RowProblem
from batchsora.manifest.raw import Reading
from batchsora.manifest.read import Manifest, open_manifest
from jobs.model.spec import JobSpec

PROMPT = "A kite over the bay at dawn"


def table(tmp_path: Path, header: str, *rows: str, said: dict[str, str] | None = None) -> Manifest:
    path = tmp_path / "m.csv"
    path.write_text("\n".join([f"prompt,{header}", *(f"{PROMPT},{row}" for row in rows)]) + "\n")
    return open_manifest(path, reading=Reading(columns=said or {}))


def bought(manifest: Manifest) -> list[tuple[str, str, int | None]]:
    found = [row.request for row in manifest.rows() if isinstance(row, JobSpec)]
    return [(one.model, one.orientation, one.duration) for one in found]


def test_a_row_is_made_by_its_model(tmp_path: Path) -> None:
    """By its own defaults, however the name is spelled; none is the first model."""
    manifest = table(tmp_path, "model", '""', "Veo 3 Fast", "kling_2.6", "VEO-3-quality-4K")
    assert bought(manifest) == [
        ("sora", "9:16", 10),
        ("veo_3_fast", "16:9", None),
        ("kling_2.6", "16:9", 5),
        ("veo_3_quality_4k", "16:9", None),
    ]
    assert manifest.suspicious_columns == ()


@pytest.mark.parametrize(
    ("header", "row", "column"),
    [
        ("model", "veo4", "model"),
        ("model,duration", "veo_3_fast,10", "duration"),
        ("model,duration", "kling_2.6,15", "duration"),
        ("model,orientation", "veo_3_fast,1:1", "orientation"),
        ("model,seed", "sora,7", "seed"),
        ("model,seed", "veo_3_fast,1000000001", "seed"),
        ("model,negative prompt", "veo_3_fast,rain", "negative prompt"),
        ("model,param.cfg_scale", "kling_2.6,1.5", "param.cfg_scale"),
        ("model,end_image", "sora,https://example.com/a.png", "end_image"),
        ("model,image_url", "veo_3_fast,https://example.com/a.png", "image_url"),
    ],
)
def test_what_a_model_does_not_take_is_an_error_of_its_cell(
    tmp_path: Path, header: str, row: str, column: str
) -> None:
    found = [one for one in table(tmp_path, header, row).rows() if isinstance(one, RowProblem)]
    assert [one.column for one in found] == [column]


def test_parameters_are_part_of_what_is_asked_for(tmp_path: Path) -> None:
    manifest = table(tmp_path, "model,seed,negative prompt,param.cfg_scale", "kling_2.6,7,rain,0.7")
    (row,) = [one for one in manifest.rows() if isinstance(one, JobSpec)]
    asked = {"seed": 7, "negative_prompt": "rain", "cfg_scale": 0.7}
    assert dict(row.request.parameters) == asked


@pytest.mark.parametrize("cells", [("Air Max 90", "Dunk Low"), ("voe_3_fast", "runway_gen4")])
def test_models_of_something_else_stop_a_run(tmp_path: Path, cells: tuple[str, str]) -> None:
    """They may be shoes, or models that nobody makes: a person says which."""
    manifest = table(tmp_path, "Model", *cells)
    assert manifest.suspicious_columns == ("Model",)
    own = table(tmp_path, "Model", *cells, said={"Model": ""})
    assert own.suspicious_columns == ()
    assert [one[0] for one in bought(own)] == ["sora", "sora"]
    ours = table(tmp_path, "Model", *cells, said={"Model": "model"})
    assert [type(one) for one in ours.rows()] == [RowProblem, RowProblem]


@pytest.mark.parametrize("header", ["cfg_scale", "CFG Scale", "param.cfg-scale", "param."])
def test_a_parameter_under_another_header_stops_a_run(tmp_path: Path, header: str) -> None:
    """Dropped, the video would be paid for without it."""
    assert table(tmp_path, f"model,{header}", "kling_2.6,0.7").suspicious_columns == (header,)


@pytest.mark.parametrize("header", ["Engine", "Modell", "AI", "made with"])
def test_a_column_whose_cells_name_models_stops_a_run(tmp_path: Path, header: str) -> None:
    """Ignored, every row would be bought from the first model."""
    manifest = table(tmp_path, header, "Veo 3 Fast", "sora", "kling-2.6", '""')
    assert len(bought(manifest)) == 4
    list(manifest.spec_rows(lambda _: ""))
    assert manifest.suspicious_columns == (header,)
    assert f"--map '{header}=model'" in manifest.warnings[0].remedy


@pytest.mark.parametrize("cells", [("sora", "Sora"), ("Air Max", "Dunk"), ("Kim", "Veo", "Li")])
def test_other_columns_are_a_persons_own(tmp_path: Path, cells: tuple[str, ...]) -> None:
    """Of the default model alone a column says nothing."""
    manifest = table(tmp_path, "Made by", *cells)
    list(manifest.spec_rows(lambda _: ""))
    assert manifest.suspicious_columns == ()
