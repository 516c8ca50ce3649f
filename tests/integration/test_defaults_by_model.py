"""A default stands in the rows whose model takes it; one that no row can take refuses the file."""

import json
from pathlib import Path

import pytest

from batchsora.manifest.errors import ManifestError, RowProblem
from batchsora.manifest.raw import Reading
from batchsora.manifest.read import Manifest, open_manifest
from jobs.model.spec import JobSpec, SpecRow
from tests.support.shell import Shell

PROMPT = "A kite over the bay at dawn"
MIXED = "\n".join(["prompt,model", f"{PROMPT},", f"{PROMPT},veo_3_fast", f"{PROMPT},kling_2.6", ""])


def read(path: Path, **defaults: str) -> Manifest:
    said = {name.replace("param_", "param."): text for name, text in defaults.items()}
    return open_manifest(path, reading=Reading(defaults=said))


def csv(tmp_path: Path, text: str, **defaults: str) -> Manifest:
    path = tmp_path / "m.csv"
    path.write_text(text, encoding="utf-8")
    return read(path, **defaults)


def jobs(manifest: Manifest) -> list[JobSpec]:
    found = [*manifest.rows()]
    assert [str(one) for one in found if isinstance(one, RowProblem)] == []
    quick = [one for one in manifest.spec_rows(lambda _: "") if isinstance(one, SpecRow)]
    made = [one for one in found if isinstance(one, JobSpec)]
    assert [json.loads(one.cells) for one in quick] == [one.cells for one in made]
    return made


@pytest.mark.parametrize(
    ("defaults", "taken"),
    [
        ({"duration": "10"}, [10, None, 10]),
        ({"duration": "15"}, [15, None, 5]),
        ({"orientation": "1:1"}, ["9:16", "16:9", "1:1"]),
        ({"seed": "7"}, [None, 7, 7]),
        ({"negative_prompt": "rain"}, [None, None, "rain"]),
        ({"param_cfg_scale": "0.7"}, [None, None, 0.7]),
        ({"param_watermark_text": "kites"}, [None, "kites", None]),
    ],
)
def test_a_default_stands_where_the_model_takes_it(
    tmp_path: Path, defaults: dict[str, str], taken: list[object]
) -> None:
    """And what it is left out of is said, a line for each default."""
    manifest = csv(tmp_path, MIXED, **defaults)
    (column,) = defaults
    name = column.removeprefix("param_")
    found = [one.request for one in jobs(manifest)]
    said = [getattr(one, name, None) or one.parameters.get(name) for one in found]
    assert said == taken
    (warning,) = manifest.warnings
    assert "is left out of" in warning.problem
    assert manifest.suspicious_columns == ()


def test_a_cell_of_a_row_itself_stays_an_error(tmp_path: Path) -> None:
    """Also beside a default that other rows take."""
    text = f"prompt,model,duration\n{PROMPT},sora,\n{PROMPT},veo_3_fast,10\n"
    found = list(csv(tmp_path, text, duration="10").rows())
    assert [(one.row, getattr(one, "column", None)) for one in found] == [
        (2, None),
        (3, "duration"),
    ]


@pytest.mark.parametrize(
    "defaults",
    [
        {"duration": "12"},
        {"seed": "often"},
        {"param_no_such": "1"},
        {"priority": "very"},
        {"model": "veo_9"},
        {"end_image": "end.png"},
        {"model": "veo_3_fast", "duration": "10"},
    ],
)
def test_a_default_that_no_row_takes_is_said_once(tmp_path: Path, defaults: dict[str, str]) -> None:
    text = "prompt\n" + f"{PROMPT}\n" * 3
    manifest = csv(tmp_path, text, **defaults)
    with pytest.raises(ManifestError) as refused:
        list(manifest.rows())
    column = [*defaults][-1].replace("param_", "param.")
    assert refused.value.problem.column == column
    assert refused.value.problem.row is None
    assert "no row can take" in str(refused.value)


def test_a_default_that_no_row_needs_is_none_of_anyone(tmp_path: Path) -> None:
    """Every row says its own."""
    text = f"prompt,duration\n{PROMPT},10\n"
    assert jobs(csv(tmp_path, text, duration="12"))[0].request.duration == 10


def test_a_default_model_decides_what_other_defaults_mean(tmp_path: Path) -> None:
    """The command line's model, and the file's duration."""
    path = tmp_path / "m.yaml"
    path.write_text(
        "defaults: {duration: 10, seed: 3}\n"
        f"jobs:\n- {PROMPT}\n- prompt: {PROMPT}\n  model: sora\n- prompt: {PROMPT}\n  seed: 4\n"
    )
    found = [one.request for one in jobs(read(path, model="Veo 3 Fast"))]
    assert [(one.model, one.duration, one.parameters.get("seed")) for one in found] == [
        ("veo_3_fast", None, 3),
        ("sora", 10, None),
        ("veo_3_fast", None, 4),
    ]


def test_defaults_of_a_campaign(tmp_path: Path) -> None:
    """The general ones stand under them."""
    path = tmp_path / "m.json"
    document = {
        "defaults": {"duration": 15, "orientation": "16:9"},
        "campaigns": {"sea": {"defaults": {"model": "kling_2.6", "seed": 5}}},
        "jobs": [{"prompt": PROMPT, "campaign": "sea"}, PROMPT],
    }
    path.write_text(json.dumps(document))
    found = [one.request for one in jobs(read(path))]
    assert [(one.model, one.duration, dict(one.parameters)) for one in found] == [
        ("kling_2.6", 5, {"seed": 5}),
        ("sora", 15, {}),
    ]
    document["campaigns"] = {"sea": {"defaults": {"negative_prompt": "rain"}}}
    path.write_text(json.dumps(document))
    with pytest.raises(ManifestError, match=r"no row can take .*sora takes no negative_prompt"):
        list(read(path).rows())


def test_an_empty_default_is_none(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(f"defaults: {{end_image: ~, seed: ~, duration: }}\njobs: [{PROMPT}]\n")
    assert jobs(read(path))[0].request.duration == 10


def test_a_default_image_goes_with_the_others_of_its_row(tmp_path: Path) -> None:
    """Beside reference images Veo takes no first frame."""
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(Path("sample_manifests/images/kite.png").read_bytes())
    text = "\n".join(
        [
            "prompt,model,reference_image_1",
            f"{PROMPT},veo_3_fast,b.png",
            f"{PROMPT},veo_3_fast,",
            f"{PROMPT},sora,",
        ]
    )
    found = [one.request for one in jobs(csv(tmp_path, text, image="a.png", end_image="b.png"))]
    assert [(one.image and one.image.source, [*one.images]) for one in found] == [
        (None, ["reference_1"]),
        ("a.png", ["end"]),
        ("a.png", []),
    ]


def test_an_unknown_model_is_the_only_error_of_its_row(tmp_path: Path) -> None:
    text = f"prompt,model\n{PROMPT},veo_9\n{PROMPT},veo_3_fast\n"
    found = [one for one in csv(tmp_path, text, seed="7").rows() if isinstance(one, RowProblem)]
    assert [one.column for one in found] == ["model"]


def test_a_model_that_is_said_once_counts_again(call: Shell) -> None:
    """As a default and by a column: forgotten, all rows would become Sora's."""
    Path("m.csv").write_text(f"prompt,Maker\n{PROMPT},\n{PROMPT},kling_2.6\n", encoding="utf-8")
    said = ("--map", "Maker=model", "--default", "model=veo_3_fast", "--default", "seed=7")
    assert call("run", "m.csv", "--sandbox", "--rate", "0", "--no-download", *said).code == 0
    again = call("plan", "m.csv", "--sandbox", "--json")
    assert again.code == 0
    models = [one["model"] for one in json.loads(again.out)["samples"]]
    assert models == ["veo_3_fast", "kling_2.6"]
    assert json.loads(again.out)["already_done"] == 2
