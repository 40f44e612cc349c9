"""Jobs whose source is a stack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from pipeline.config.load import load_config
from pipeline.errors import ConfigError, StoreError
from pipeline.geometry.shards import Shard
from pipeline.planning.contradictions.source import source_contradictions
from pipeline.sources import open_source
from tests import runs, scenes


def three_dates(folder: Path) -> list[str]:
    """The bands of the scene as three files."""
    data = scenes.read(scenes.scene(folder / "scene.tif", 200, 260)).astype("uint16")
    return [str(scenes.write(folder / f"{k}.tif", band[np.newaxis], nodata=0)) for k, band in enumerate(data)]


def go(folder: Path, name: str, files: list[Any], shard: Shard | None = None, **source: Any) -> dict[str, str]:
    """Digests of the chunks that a run leaves."""
    path = scenes.config(folder, name, source={"kind": "stack", "path": files, "nodata_rule": "any", **source})
    runs.go(path, shard=shard)
    return chunks(folder / f"{name}.zarr")


def chunks(store: Path) -> dict[str, str]:
    return {name: digest for name, digest in runs.arrays(store).items() if "/c/" in name}


@pytest.mark.slow
def test_three_dates_are_the_stacked_raster_byte_for_byte_also_after_a_part_of_the_run(tmp_path: Path) -> None:
    files = three_dates(tmp_path)
    runs.go(scenes.config(tmp_path, "raster", source={"nodata_rule": "any"}))
    expected = chunks(tmp_path / "raster.zarr")
    assert go(tmp_path, "stack", files) == expected
    part = go(tmp_path, "parts", files, shard=Shard(index=1, count=2))
    assert 0 < len(part) < len(expected)
    assert go(tmp_path, "parts", files) == expected


@pytest.mark.slow
def test_a_second_source_that_changed_is_named_and_one_that_was_copied_is_not_minded(tmp_path: Path) -> None:
    files = three_dates(tmp_path)
    before = go(tmp_path, "job", files)
    with rasterio.open(files[1]) as dataset:
        data = dataset.read()
    scenes.write(Path(files[1]), data, nodata=0)
    assert go(tmp_path, "job", files) == before
    scenes.write(Path(files[1]), data + np.uint16(1), nodata=0)
    with pytest.raises(StoreError, match=r"made of other pixels: \S+/1.tif was written anew since, and"):
        go(tmp_path, "job", files)
    scenes.write(Path(files[1]), data, nodata=0, compress="deflate")
    with pytest.raises(StoreError, match=r"source\.path\.1\.size, of \S+/1.tif, was \d+ and is now \d+"):
        go(tmp_path, "job", files)
    with pytest.raises(StoreError, match=r"source\.stack_rule was any and is now all"):
        go(tmp_path, "job", files, stack_rule="all")


def test_relative_paths_in_a_list_are_those_beside_the_config(tmp_path: Path) -> None:
    entries: list[Any] = ["a.tif", {"path": "b.tif"}, {"kind": "bands", "path": {"red": "c.tif"}}]
    config = load_config(scenes.config(tmp_path, source={"kind": "stack", "path": entries})).source
    assert [entry.path for entry in config.sources] == [
        str(tmp_path / "a.tif"),
        str(tmp_path / "b.tif"),
        {"red": str(tmp_path / "c.tif")},
    ]
    assert type(config)(**config.model_dump(mode="json")) == config
    assert type(config)(**config.model_dump(mode="json", exclude_unset=True)) == config


def test_keys_of_a_stack_hold_for_sources_that_do_not_give_them(tmp_path: Path) -> None:
    entries: list[Any] = ["a.tif", {"path": "b.tif", "nodata": 7, "resampling": "nearest"}]
    source = {"kind": "stack", "path": entries, "nodata": 0, "resampling": "cubic", "scale_tags": True}
    sources = load_config(scenes.config(tmp_path, source=source)).source.sources
    assert [(entry.nodata, entry.resampling, entry.scale_tags) for entry in sources] == [
        (0, "cubic", True),
        (7, "nearest", True),
    ]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"path": "a.tif"}, "source.path is .*a stack is a list of sources"),
        ({"path": []}, "source.path is .*a stack is a list of sources"),
        ({"path": ["a.tif", 3]}, "source.path.1 is 3: input should be a section of keys and values"),
        ({"path": [{"bands": [1]}]}, "source.path.0.path is missing"),
        ({"path": ["a.tif", {"path": "b.tif", "bandz": [1]}]}, r"source.path.1.bandz .* \(did you mean bands\?\)"),
        ({"path": [{"path": "b.tif", "aoi": "a.gpkg"}]}, "aoi is one for all sources of a stack"),
        ({"path": [{"path": ["b.tif"], "kind": "stack"}]}, "a stack holds no stacks"),
        ({"path": ["a.tif"], "bands": [1]}, "bands of a stack are named by each source"),
        ({"path": ["a.tif"], "align": "exact", "grid": {"resolution": 3}}, "leave one of both out"),
        ({"path": "a.tif", "kind": "raster", "align": "exact"}, "align is a key of kind: stack"),
    ],
)
def test_what_is_no_stack_is_refused(tmp_path: Path, source: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(scenes.config(tmp_path, source={"kind": "stack", **source}))


def test_contradictions_are_looked_for_in_each_source(tmp_path: Path) -> None:
    files = three_dates(tmp_path)
    entries: list[Any] = [files[0], {"path": files[1], "nodata": -1}]
    config = load_config(scenes.config(tmp_path, source={"kind": "stack", "path": entries})).source
    (paragraph,) = source_contradictions(config, open_source(config))
    assert "1.tif holds uint16, from 0 to 65535" in paragraph
