"""The weights that come with the project, through the public commands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.config.load import load_config
from pipeline.models.architectures.fcn8s import FCN8s
from pipeline.models.weights import load_into, read_model_meta
from pipeline.sources import samples
from pipeline.sources.samples import glass
from tests.privacy.commands import contents

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
SCENES = {
    "satellite": ("satellite", "sample://satellite?seed=104&size=1024", [], 0.9),
    "medical": ("ihc", "sample://ihc", ["--area", "0,320,512,192"], 0.8),
    "slide": ("slide", "sample://slide?seed=104&size=3000", [], 0.8),
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
    satellite, medical, slide = (load_config(CONFIGS / f"train_{name}.yaml").training for name in SCENES)
    assert satellite is not None
    assert medical is not None
    assert slide is not None
    for name, training, size in (("satellite", satellite, 2048), ("slide", slide, 6000)):
        assert not {scene.path for scene in training.scenes} & {
            f"sample://{name}?seed={seed}&size={size}" for seed in (101, 102, 103, 104, samples.KINDS[name].seed)
        }
        assert all(f"sample://{name}?seed=" in str(scene.path) for scene in training.scenes)
    assert medical.scenes[0].area == [0, 0, 512, 320]


@pytest.mark.slow
def test_the_slide_of_the_sample_gets_classes_and_outlines_and_leaves_its_name_behind(tmp_path: Path) -> None:
    uri, store = "sample://slide?seed=104&size=1500", tmp_path / "out" / "slide.zarr"
    sets = [f"--set=source.path={uri}", f"--set=output.path={store}"]
    done = CliRunner().invoke(app, ["run", str(CONFIGS / "slide.yaml"), *sets])
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(app, ["evaluate", str(store), "--labels", uri, "--json", str(tmp_path / "judged.json")])
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "judged.json").read_text())["mean_iou"] > 0.7
    outlines = json.loads(next(store.parent.glob("*.geojson")).read_text())
    names = {outline["properties"]["classification"]["name"] for outline in outlines["features"]}
    assert {"stroma", "tumour"} <= names <= {"stroma", "gland", "tumour", "lymphocytes"}
    corners = [point for outline in outlines["features"] for point in _points(outline["geometry"]["coordinates"])]
    assert 700 < max(map(max, corners)) <= 1500, "pixels of level 0"
    assert glass.INVENTED_NAME.encode() in samples.sample_raster(uri).read_bytes()
    for file in filter(Path.is_file, tmp_path.rglob("*")):
        assert not {b"quellmann", b"wilhelmina", glass.CASE.lower().encode()} & set(
            re.findall(rb"[\w-]+", contents(file).lower())
        )


def _points(rings: list[Any]) -> Iterator[list[float]]:
    """All corners of a polygon or of several."""
    for ring in rings:
        if isinstance(ring[0], list):
            yield from _points(ring)
        else:
            yield ring
