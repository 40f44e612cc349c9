"""Adding to a family takes what CONTRIBUTING.md says and nothing else.

A throw-away kind of each is made by its rows alone, and a job runs with all of them.
"""

from __future__ import annotations

import importlib
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from pipeline import engines, exports, models, sources
from pipeline.config import Config, ExecutionConfig, families
from pipeline.config.families import Family
from pipeline.config.load import load_config, schema
from pipeline.errors import ConfigError
from pipeline.exports.task import ExportTask
from pipeline.exports.write import Form
from pipeline.geometry.window import Window
from pipeline.inference import layers, tapers
from pipeline.inference.decode import DecodedTile
from pipeline.interfaces import Pixels
from pipeline.models import runtimes
from pipeline.planning import workers
from pipeline.sources import raster
from pipeline.sources.wrappers.wrapper import SourceWrapper
from pipeline.store.downsample import mean_2x2
from pipeline.store.layers import LAYERS, Layer, LayerSpec
from pipeline.store.lifecycle import open_layer
from tests import runs, scenes

TABLES: dict[str, tuple[Family, dict[str, Any]]] = {
    "sources": (families.SOURCE_KINDS, sources.KINDS),
    "models": (families.MODEL_KINDS, models.KINDS),
    "tapers": (families.TAPER_KINDS, tapers.KINDS),
    "layers": (families.LAYER_KINDS, layers.KINDS),
    "exports": (families.EXPORT_KINDS, exports.KINDS),
    "runtimes": (families.RUNTIME_KINDS, runtimes.KINDS),
}
BRIGHTEST = 1001
ROOT = Path(__file__).resolve().parents[1]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", TABLES)
def test_a_config_may_name_every_kind_of_a_family_before_the_family_is_imported(name: str) -> None:
    family, table = TABLES[name]
    assert family.names == tuple(table)


def test_the_tables_of_layers_and_of_engines_agree() -> None:
    assert [*LAYERS] == [*layers.KINDS]
    assert [*families.ENGINE_FACTS] == [*engines.KINDS]
    assert all(name in ExecutionConfig.model_fields for name, facts in families.ENGINE_FACTS.items() if facts.section)


def test_what_is_said_of_some_kinds_of_models_is_said_of_kinds_that_there_are() -> None:
    assert {*models.FACTORIES, *workers.USER_CODE_KINDS} <= {*models.KINDS}


@pytest.mark.parametrize("row", re.findall(r"`([\w/]+\.py):(\w+)`", CONTRIBUTING), ids=":".join)
def test_every_row_that_contributing_names_has_its_table(row: tuple[str, str]) -> None:
    file, table = row
    path = next(path for folder in ("", "pipeline") if (path := ROOT / folder / file).is_file())
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    assert hasattr(importlib.import_module(module), table)


@dataclass(frozen=True, kw_only=True)
class Negative(SourceWrapper):
    """A raster whose dark pixels are bright."""

    def read(self, window: Window) -> Pixels:
        pixels = self.source.read(window)
        return replace(pixels, data=(BRIGHTEST - pixels.data).astype(self.dtype))


def open_negative(config: Any, timeout: float | None) -> Negative:
    return Negative(source=raster.open_source(config, timeout))


def arch(size: int) -> npt.NDArray[np.float32]:
    """Between a triangle and ones."""
    return np.sqrt(tapers.linear(size))


def doubt(answer: DecodedTile, of: LayerSpec, least: float) -> torch.Tensor:
    return 254 - layers.confidence(answer, of, least).clamp(max=254)


def write_legend(task: ExportTask, file: Path) -> None:
    """A text that lists the classes."""
    file.write_text("".join(f"{row.code} {row.name}\n" for row in task.spec.classes))


@pytest.fixture
def _throw_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """One row for each, and two for a layer: what it is on disk, and how it is made."""
    monkeypatch.setitem(sources.KINDS, "negative", open_negative)
    monkeypatch.setitem(tapers.KINDS, "arch", arch)
    monkeypatch.setitem(layers.KINDS, "doubt", doubt)
    monkeypatch.setitem(
        LAYERS,
        "doubt",
        Layer(dtype=lambda _: "uint8", fill=lambda _: 255, attributes=lambda of, classes: {"long_name": "doubt"}),
    )
    monkeypatch.setitem(exports.KINDS, "legend", Form(ending=".txt", write=write_legend, has_layer=False))


def negative_scene(folder: Path) -> Path:
    """The scene as the throw-away source reads it, in a file."""
    values = scenes.read(scenes.scene(folder / "scene.tif"))
    return scenes.write(
        folder / "negative.tif", np.where(values == 0, 0, BRIGHTEST - values).astype("uint16"), nodata=0
    )


@pytest.mark.usefixtures("_throw_away")
def test_a_source_a_taper_a_layer_and_an_export_are_their_rows(tmp_path: Path) -> None:
    negative = negative_scene(tmp_path)
    tile = {"size": 96, "overlap": 0.5, "taper": "arch"}
    report = runs.go(
        scenes.config(
            tmp_path,
            source={"kind": "negative"},
            tile=tile,
            output={
                "path": str(tmp_path / "job.zarr"),
                "chunk": 64,
                "layers": ["mask", "doubt"],
                "exports": ["legend"],
            },
        )
    )
    known = {"path": str(tmp_path / "known.zarr"), "chunk": 64, "layers": ["mask", "confidence"]}
    runs.go(scenes.config(tmp_path, "known", source={"path": str(negative)}, tile=tile, output=known))

    def stored(name: str, layer: str, level: int = 0) -> np.ndarray:
        return np.asarray(open_layer(tmp_path / f"{name}.zarr", level, layer)[:])

    mask, valid = stored("job", "mask"), stored("known", "mask") != 255
    assert len(np.unique(mask)) > 2
    assert (mask == stored("known", "mask")).all()
    assert (stored("job", "doubt") == np.where(valid, 254 - np.minimum(stored("known", "confidence"), 254), 255)).all()
    assert (stored("job", "doubt", 1) == mean_2x2(stored("job", "doubt"), valid, 255)).all()
    assert open_layer(tmp_path / "job.zarr", 0, "doubt").attrs["long_name"] == "doubt"
    assert [*report.files] == ["store", "report", "sidecar", "quicklook", "legend"]
    assert Path(report.files["legend"]).read_text() == "0 a\n1 b\n2 c\n3 d\n"
    assert json.loads((tmp_path / "job.report.json").read_text())["files"]["legend"] == str(tmp_path / "job.txt")


def test_a_taper_weighs_tiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the taper of the throw-away job could be any."""
    sizes: list[int] = []
    monkeypatch.setitem(tapers.KINDS, "arch", lambda size: (sizes.append(size), arch(size))[1])
    runs.go(scenes.config(tmp_path, tile={"size": 96, "overlap": 0.5, "taper": "arch"}))
    assert set(sizes) == {96}


@pytest.mark.usefixtures("_throw_away")
def test_kinds_that_a_program_adds_are_named_by_messages_and_by_the_schema(tmp_path: Path) -> None:
    assert schema()["$defs"]["TileConfig"]["properties"]["taper"]["enum"] == [
        "auto",
        "flat",
        "linear",
        "hann",
        "gaussian",
        "arch",
    ]
    with pytest.raises(ConfigError, match=r"tile.taper is 'ark': .*'gaussian' or 'arch' \(did you mean arch\?\)"):
        load_config(scenes.config(tmp_path, tile={"taper": "ark"}))
    assert Config.model_json_schema()["$defs"]["SourceConfig"]["properties"]["kind"]["enum"] == [
        "raster",
        "bands",
        "slide",
        "mosaic",
        "stac",
        "zarr",
        "stack",
        "negative",
    ]


def test_what_is_no_kind_is_refused_as_before(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError,
        match=r"tile.taper is 'han': input should be 'auto', 'flat', 'linear', "
        r"'hann' or 'gaussian' \(did you mean hann\?\)",
    ):
        load_config(scenes.config(tmp_path, tile={"taper": "han"}))
    with pytest.raises(
        ConfigError, match=r"execution.engine is 'slrm': input should be 'serial', .* \(did you mean slurm\?\)"
    ):
        load_config(scenes.config(tmp_path, execution={"engine": "slrm"}))
    with pytest.raises(
        ConfigError, match=r"source.kind is 3: input should be 'raster', 'bands', 'slide', 'mosaic', 'stac', 'zarr' or"
    ):
        load_config(scenes.config(tmp_path, source={"kind": 3}))
