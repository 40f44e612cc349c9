"""The weights that come with the project, through the public commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.config.load import load_config
from pipeline.models.architectures.fcn8s import FCN8s
from pipeline.models.weights import load_into, read_model_meta
from pipeline.sources import samples

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
SCENES = {
    "satellite": ("satellite", "sample://satellite?seed=104&size=1024", [], 0.9),
    "medical": ("ihc", "sample://ihc", ["--area", "0,320,512,192"], 0.8),
}


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize("config", SCENES)
def test_the_weights_at_hand_do_well_where_they_never_learnt(config: str, tmp_path: Path) -> None:
    _, uri, options, least = SCENES[config]
    store = str(tmp_path / "a.zarr")
    done = CliRunner().invoke(
        app, ["run", str(CONFIGS / f"{config}.yaml"), f"--set=source.path={uri}", f"--set=output.path={store}"]
    )
    assert done.exit_code == 0, done.output
    said = CliRunner().invoke(app, ["evaluate", store, "--labels", uri, *options, "--json", str(tmp_path / "a.json")])
    assert said.exit_code == 0, said.output
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["mean_iou"] > least
    assert found["pixels"]["nodata"] == 0


@pytest.mark.parametrize("config", SCENES)
def test_the_weights_at_hand_are_small_fit_their_network_and_are_of_the_config_that_trains_them(config: str) -> None:
    path, how = (
        CONFIGS / "weights" / f"{SCENES[config][0]}.safetensors",
        load_config(CONFIGS / f"train_{config}.yaml").model,
    )
    meta = read_model_meta(path)
    assert path.stat().st_size < 3 * 2**20
    assert meta is not None
    assert meta.kind == how.kind
    assert how.args.items() <= meta.args.items()
    assert tuple(row["name"] for row in meta.classes) == samples.KINDS[SCENES[config][0]].classes
    load_into(FCN8s(**meta.args), path)


def test_what_judges_was_never_learnt_from() -> None:
    satellite, medical = (load_config(CONFIGS / f"train_{name}.yaml").training for name in ("satellite", "medical"))
    assert satellite is not None
    assert medical is not None
    default = samples.KINDS["satellite"].seed
    assert not {scene.path for scene in satellite.scenes} & {
        f"sample://satellite?seed={seed}&size=2048" for seed in (101, 102, 103, 104, default)
    }
    assert all("seed=" in scene.path for scene in satellite.scenes)
    assert medical.scenes[0].area == [0, 0, 512, 320]
