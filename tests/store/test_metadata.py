from typing import Any

import numpy as np
import pytest

from pipeline.geometry.grid import Grid
from pipeline.store import metadata
from tests.store import specs


@pytest.mark.parametrize("grid", specs.GRIDS)
def test_what_holds_of_a_grid_is_said_and_nothing_else(grid: str) -> None:
    there = specs.GRIDS[grid]
    said = metadata.root_attributes(specs.spec(grid))
    assert said["spatial:shape"] == [100, 130]
    assert said["spatial:transform"] == list(there.transform)
    assert said.get("proj:code") == there.code
    assert said.get("proj:wkt2") == there.wkt
    names = [entry["name"] for entry in said["zarr_conventions"]]
    assert names == (
        ["multiscales", "proj", "proj:", "spatial", "spatial:"] if there.wkt else ["multiscales", "spatial", "spatial:"]
    )


def test_the_box_of_a_rotated_grid_holds_all_four_corners() -> None:
    said = metadata.georeference(specs.GRIDS["rotated"])
    a, b, c, d, e, f = said["spatial:transform"]
    corners = np.array([(a * col + b * row + c, d * col + e * row + f) for row in (0, 100) for col in (0, 130)])
    assert said["spatial:bbox"] == [*corners.min(0), *corners.max(0)]


def test_levels_derive_from_each_other_and_keep_the_corner() -> None:
    layout = metadata.root_attributes(specs.spec())["multiscales"]["layout"]
    assert [entry["asset"] for entry in layout] == ["0", "1", "2", "3"]
    assert [entry.get("derived_from") for entry in layout] == [None, "0", "1", "2"]
    assert [entry["spatial:shape"] for entry in layout] == [[100, 130], [50, 65], [25, 33], [13, 17]]
    assert [entry["spatial:transform"][0] for entry in layout] == [10.0, 20.0, 40.0, 80.0]
    assert {tuple(entry["spatial:transform"][2::3]) for entry in layout} == {(500_000.0, 4_600_000.0)}


def ome(grid: str) -> dict[str, Any]:
    return dict(metadata.root_attributes(specs.spec(grid))["ome"])


@pytest.mark.parametrize("grid", specs.GRIDS)
def test_ome_metadata_has_the_structure_of_0_5(grid: str) -> None:
    said = ome(grid)
    assert said["version"] == "0.5"
    (multiscale,) = said["multiscales"]
    axes = multiscale["axes"]
    assert [(axis["name"], axis["type"]) for axis in axes] == [("y", "space"), ("x", "space")]
    assert [d["path"] for d in multiscale["datasets"]] == [f"{k}/mask" for k in range(4)]
    for dataset in multiscale["datasets"]:
        scale, *translation = dataset["coordinateTransformations"]
        assert scale["type"] == "scale"
        assert len(scale["scale"]) == len(axes)
        assert [t["type"] for t in translation] in ([], ["translation"])
    codes = [row["label-value"] for row in said["image-label"]["colors"]]
    assert codes == [0, 3, 7] == [row["label-value"] for row in said["image-label"]["properties"]]
    assert all(
        len(row["rgba"]) == 4 and all(0 <= v <= 255 for v in row["rgba"]) for row in said["image-label"]["colors"]
    )


def test_a_pixels_centre_lies_in_the_same_place_at_every_level_of_ome() -> None:
    """The centre of pixel 0 of level k is the mean of the centres of the 2^k pixels of level 0 beneath it."""
    for k, dataset in enumerate(ome("of a slide")["multiscales"][0]["datasets"]):
        scale, *moves = dataset["coordinateTransformations"]
        start = moves[0]["translation"] if moves else [0.0, 0.0]
        assert scale["scale"] == [0.25 * 2**k] * 2
        assert start == [float(np.mean(np.arange(2**k) * 0.25))] * 2


def test_a_part_of_an_image_lies_in_ome_where_it_was_cut() -> None:
    grid = Grid(height=200, width=300, transform=(0.65, 0.0, 325.0, 0.0, 0.65, 130.0), unit="um")
    moves = [
        d["coordinateTransformations"]
        for d in metadata.root_attributes(specs.spec(grid=grid))["ome"]["multiscales"][0]["datasets"]
    ]
    assert moves[0][1] == {"type": "translation", "translation": [130.0, 325.0]}
    assert moves[1][1] == {"type": "translation", "translation": [130.0 + 0.325, 325.0 + 0.325]}


def test_a_v2_store_says_its_levels_as_ome_of_0_4_does() -> None:
    said = metadata.root_attributes(specs.spec(zarr_format=2))
    (multiscale,) = said["multiscales"]
    assert multiscale["version"] == said["image-label"]["version"] == "0.4"
    assert [d["path"] for d in multiscale["datasets"]] == [f"{k}/mask" for k in range(4)]
    assert "ome" not in said
    assert {entry["name"] for entry in said["zarr_conventions"]} <= {"proj", "proj:", "spatial", "spatial:"}


@pytest.mark.parametrize(
    ("grid", "unit"), [("of a slide", "micrometer"), ("with a code", "meter"), ("without a CRS", None)]
)
def test_ome_says_the_unit_where_there_is_one(grid: str, unit: str | None) -> None:
    assert [axis.get("unit") for axis in ome(grid)["multiscales"][0]["axes"]] == [unit] * 2


def test_the_mask_says_its_classes_and_has_no_fill_value_that_would_make_it_floats() -> None:
    said = metadata.layer(specs.spec(), "mask")
    assert said["nodata"] == 255
    assert said["flag_values"] == [0, 3, 7]
    assert said["flag_meanings"].split() == ["open_water", "<fields_&_co>", "forest"]
    assert said["flag_colors"].split() == ["#112233", "#445566", "#778899"]
    assert said["grid_mapping"] == said["coordinates"] == "spatial_ref"
    assert "_FillValue" not in said


def test_a_crs_that_only_gdal_understands_is_still_said() -> None:
    grid = specs.Grid(height=4, width=4, transform=specs.NORTH_UP, wkt="nonsense", unit="crs")
    assert metadata.spatial_ref(grid)["crs_wkt"] == "nonsense"
    assert "units" not in metadata.coordinate_attributes("x", grid)
