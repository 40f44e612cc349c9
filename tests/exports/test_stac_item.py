"""``output.stac``: the item beside a store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.exports.stac_footprint import footprint_of
from pipeline.geometry.crs import crs_of
from pipeline.geometry.grid import Grid
from tests import runs, scenes
from tests.sources import catalogue


@pytest.mark.slow
def test_a_store_gets_an_item_that_says_where_when_and_by_which_network_and_loses_it_with_the_key(
    tmp_path: Path,
) -> None:
    pystac = pytest.importorskip("pystac")
    from pystac.extensions.projection import ProjectionExtension

    source = {"kind": "stac", "path": str(catalogue.scene(tmp_path)), "assets": ["red", "green", "nir"]}
    config = scenes.config(tmp_path, source=source, output={"stac": True, "exports": ["cog"]})
    report = runs.go(config)
    file = tmp_path / "job.stac.json"
    assert report.files["stac"] == str(file)
    item = pystac.Item.from_file(str(file))
    place = ProjectionExtension.ext(item)
    assert (place.code, list(place.shape)) == ("EPSG:32633", [300, 420])
    assert item.bbox == pytest.approx([15.0, 41.52, 15.05, 41.55], abs=0.01)
    assert item.properties["datetime"] == "2024-06-01T10:00:00Z"
    assert item.properties["processing:software"]["wholecloth"]
    assert item.properties["wholecloth:model"]["kind"] == "torchscript"
    assert item.properties["wholecloth:items"] == ["tests/scene"]
    assert [link.rel for link in item.links if link.rel != "self"] == ["derived_from"]
    assert {name: asset.href for name, asset in item.assets.items()} == {
        "store": "./job.zarr",
        "sidecar": "./job.vrt",
        "quicklook": "./job.png",
        "cog": "./job.mask.tif",
    }
    classes = item.assets["cog"].extra_fields["classification:classes"]
    assert [row["name"] for row in classes] == ["a", "b", "c", "d", "nodata"]
    item.stac_extensions = []  # whose schemas lie on a server; that of items itself comes with the library
    assert item.validate()
    runs.go(config, "output.stac=false")
    assert not file.exists()


@pytest.mark.slow
def test_an_item_is_never_written_over_a_file_of_others(tmp_path: Path) -> None:
    (tmp_path / "job.stac.json").write_text("{}")
    report = runs.go(scenes.config(tmp_path, output={"stac": True}))
    assert (tmp_path / "job.stac.json").read_text() == "{}"
    assert report.files["stac"] == str(tmp_path / "job.zarr.stac.json")
    assert json.loads((tmp_path / "job.zarr.stac.json").read_text())["properties"]["datetime"]


def test_a_grid_across_the_antimeridian_is_two_boxes() -> None:
    grid = Grid(
        height=10,
        width=20,
        transform=(0.1, 0, 179, 0, -0.1, 5),
        wkt=crs_of("EPSG:4326").to_wkt(),
        code="EPSG:4326",
        unit="crs",
    )
    across = Grid(
        height=1000,
        width=2000,
        transform=(100, 0, 700_000, 0, -100, 500_000),
        wkt=crs_of("EPSG:32660").to_wkt(),
        unit="crs",
    )
    assert footprint_of(across)["geometry"]["type"] == "MultiPolygon"
    west, south, east, north = footprint_of(across)["bbox"]
    assert west > 0 > east
    assert south < north
    assert footprint_of(grid)["bbox"] == [179.0, 4.0, 181.0, 5.0]
    assert footprint_of(Grid(height=1, width=1)) == {"geometry": None}
