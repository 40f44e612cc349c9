"""Planes of arrays become one, and fields of plates are images, in OME-Zarr 0.4 and 0.5."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from pipeline.config import SourceConfig
from pipeline.errors import SourceError
from pipeline.geometry.window import Window
from pipeline.sources import open_source

RNG = np.random.default_rng(0)
SCALE = [1.0, 1.0, 2.0, 0.5, 0.25]
TCZYX = RNG.integers(0, 2**16, (2, 3, 5, 60, 80), dtype="uint16")
NAMES = ["DAPI", "GFP", "Cy5"]
VERSIONS = {"0.4": 2, "0.5": 3}


def opened(path: Path, **keys: Any) -> Any:
    return open_source(SourceConfig(kind="zarr", path=str(path), **keys))


def whole(source: Any) -> Any:
    return source.read(Window(row=0, col=0, height=source.grid.height, width=source.grid.width))


def image(path: Path, **keys: Any) -> np.ndarray:
    return whole(opened(path, **keys)).data


def attributes(group: Any, version: str, document: dict[str, Any]) -> None:
    group.attrs.update(document if version == "0.4" else {"ome": {"version": "0.5", **document}})


def write_image(path: Path, data: np.ndarray, version: str, chunks: tuple[int, ...] = (1, 1, 2, 32, 32)) -> None:
    """An image of the axes t, c, z, y, x."""
    group = zarr.open_group(path, mode="w", zarr_format=VERSIONS[version])
    names = {"dimension_names": list("tczyx")} if version == "0.5" else {}
    array = group.create_array("0", shape=data.shape, dtype=data.dtype, chunks=chunks, **names)
    array[:] = data
    units = {"y": "micrometer", "x": "micrometer", "z": "micrometer"}
    axes = [{"name": name, "type": "space", **({"unit": units[name]} if name in units else {})} for name in "tczyx"]
    datasets = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": SCALE}]}]
    channels = [{"label": name} for name in NAMES]
    attributes(group, version, {"multiscales": [{"axes": axes, "datasets": datasets}], "omero": {"channels": channels}})


@pytest.fixture(scope="module", params=VERSIONS)
def ome_zarr(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ome") / "a.zarr"
    write_image(path, TCZYX, request.param)
    return path


def test_channels_times_and_z_of_an_ome_zarr_are_chosen(ome_zarr: Path) -> None:
    for select, expected in (
        ({"channel": ["Cy5", "DAPI"], "z": 3, "time": 1}, TCZYX[1, [2, 0], 3]),
        ({"channel": 1, "z": "max", "time": 0}, TCZYX[0, 1].max(0)[None]),
        ({"channel": "GFP", "z": "mean", "t": 0}, np.floor(TCZYX[0, 1].mean(0) + 0.5)[None]),
        ({"z": "max", "time": 1}, TCZYX[1].max(1)),
        ({"channel": "max", "z": 0, "time": [1, 0]}, TCZYX[::-1, :, 0].max(1)),
    ):
        assert (image(ome_zarr, select=select) == expected).all(), select
    source = opened(ome_zarr, select={"channel": "GFP", "z": "max", "time": 0})
    assert source.grid.pixel_size == (0.5, 0.25)
    assert source.notes[:3] == ("its t is 0 of 0 to 1", "its c is GFP", "its z is the max of all 5")
    with pytest.raises(SourceError, match=r"leaves open t \(2\); z \(5\)"):
        opened(ome_zarr, select={"channel": "DAPI"})


def test_windows_of_what_planes_become_are_those_of_the_whole(ome_zarr: Path) -> None:
    source = opened(ome_zarr, select={"z": "mean", "time": 0})
    pixels = whole(source)
    for window in (Window(row=7, col=30, height=41, width=45), Window(row=-2, col=70, height=20, width=20)):
        got, inside = source.read(window), window.clip(60, 80)
        assert (got.data[(slice(None), *inside.index_in(window))] == pixels.data[(slice(None), *inside.slices)]).all()


def test_a_fold_is_priced_and_identified(ome_zarr: Path) -> None:
    single, largest, mean = (opened(ome_zarr, select={"z": z, "time": 0}) for z in (0, "max", "mean"))
    assert largest.working_bytes > single.working_bytes + 60 * 80 * 3 * 40
    assert len({str(source.identity()) for source in (single, largest, mean)}) == 3


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_planes_that_were_never_written_are_passed_over(tmp_path: Path, depth: int) -> None:
    data = np.zeros((5, 64, 64), "int16") - 9
    array = zarr.create_array(
        tmp_path / "a.zarr",
        shape=data.shape,
        dtype="int16",
        chunks=(depth, 32, 32),
        dimension_names=["z", "y", "x"],
        config={"write_empty_chunks": True},
    )
    data[:, :32] = RNG.integers(-9, 0, (5, 32, 64))
    array[:, :32] = data[:, :32]
    pixels = whole(opened(tmp_path / "a.zarr", select={"z": "max"}))
    assert (pixels.data[0, :32] == data[:, :32].max(0)).all()
    assert pixels.valid[:32].all()
    assert not pixels.valid[32:].any()
    if depth == 1:
        array[3, 32:, :32] = 0  # as numbers that were never written are, but written
        pixels = whole(opened(tmp_path / "a.zarr", select={"z": "max"}))
        assert pixels.valid[32:, :32].all()
        assert (pixels.data[0, 32:, :32] == 0).all()
        assert not whole(opened(tmp_path / "a.zarr", select={"z": "max"}, nodata_rule="any")).valid[32:].any()


def test_scale_and_offset_count_before_planes_become_one(tmp_path: Path) -> None:
    data = RNG.integers(0, 9, (3, 20, 30)).astype("uint8")
    array = zarr.create_array(tmp_path / "a.zarr", data=data, dimension_names=["z", "y", "x"])
    array.attrs.update({"scale_factor": -0.5, "add_offset": 1.0})
    pixels = whole(opened(tmp_path / "a.zarr", select={"z": "max"}, scale_tags=True))
    assert (pixels.data[0] == data.min(0) * -0.5 + 1).all()


def test_a_place_that_is_called_max_is_a_place(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    data = RNG.integers(0, 9, (2, 20, 30)).astype("uint8")
    names = {"v": ["statistic", "y", "x"], "statistic": ["statistic"]}
    group.create_array("v", data=data)
    group.create_array("statistic", data=np.array(["min", "max"], dtype="U3"))
    for name, dimensions in names.items():
        group[name].attrs["_ARRAY_DIMENSIONS"] = dimensions
    assert (image(tmp_path / "a.zarr", variable="v", select={"statistic": "max"}) == data[1]).all()


def test_bands_that_come_last_are_bands(tmp_path: Path) -> None:
    data = RNG.integers(0, 255, (20, 30, 3), dtype="uint8")
    np.save(tmp_path / "a.npy", data)
    zarr.create_array(tmp_path / "a.zarr", data=data, dimension_names=["y", "x", "c"])
    expected = np.moveaxis(data, -1, 0)
    assert (image(tmp_path / "a.npy", axes="yxc") == expected).all()
    assert (image(tmp_path / "a.zarr") == expected).all()
    assert (image(tmp_path / "a.npy", axes="yxc", bands=[3, 1]) == expected[[2, 0]]).all()
    with pytest.raises(SourceError, match=r"such as \[y, x, band\]"):
        opened(tmp_path / "a.npy")


@pytest.fixture(scope="module", params=VERSIONS)
def plate(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wells A1 and B12, of two fields each; every field has a number of its own."""
    path, version = tmp_path_factory.mktemp("plate") / "plate.zarr", request.param
    root = zarr.open_group(path, mode="w", zarr_format=VERSIONS[version])
    wells = [{"path": "A/1", "rowIndex": 0, "columnIndex": 0}, {"path": "B/12", "rowIndex": 1, "columnIndex": 1}]
    rows, columns = [{"name": "A"}, {"name": "B"}], [{"name": "1"}, {"name": "12"}]
    attributes(root, version, {"plate": {"rows": rows, "columns": columns, "wells": wells}})
    for k, well in enumerate(wells):
        group = root.require_group(well["path"])
        attributes(
            group, version, {"well": {"images": [{"path": "0", "acquisition": 7}, {"path": "1", "acquisition": 8}]}}
        )
        for field in range(2):
            write_image(
                path / str(well["path"]) / str(field), np.full((1, 3, 1, 8, 8), 10 * k + field, "uint8"), version
            )
    return path


def test_a_well_and_its_field_are_chosen(plate: Path) -> None:
    for select, value in (
        ({"well": "A1"}, 0),
        ({"well": "A1", "field": 1}, 1),
        ({"well": "b12", "field": 0}, 10),
        ({"well": "B/12", "field": "1", "channel": "GFP"}, 11),
        ({"well": "B12", "acquisition": 8}, 11),
    ):
        pixels = image(plate, select=select)
        assert len(pixels) == (1 if "channel" in select else 3)
        assert (pixels == value).all()
    source = opened(plate, select={"well": "A01"})
    assert source.notes[:2] == (
        "its well is A1",
        "its field is 0 of 0 to 1, those of all acquisitions one after the other",
    )
    assert source.grid.pixel_size == (0.5, 0.25)
    assert source.identity() != opened(plate, select={"well": "A1", "field": 1}).identity()
    assert (image(plate / "B" / "12", select={"field": 1}) == 11).all()


@pytest.mark.parametrize(
    ("select", "words"),
    [
        (None, r"a plate whose wells are A1, B12, and nothing names one\. Name one.*\{well: A1\}"),
        ({"well": "C1"}, "wells are A1, B12, and source.select asks for C1"),
        ({"well": ["A1", "B12"]}, "wells are A1, B12"),
        ({"well": "A1", "field": 2}, "field has no labels and 2 places.*0 to 1"),
        ({"well": "A1", "acquisition": 9}, "of the acquisitions 7, 8, and source.select asks for acquisition 9"),
        ({"well": "A1", "row": 0}, "names row, but the array has no such dimension"),
    ],
)
def test_what_a_plate_does_not_have_is_refused(plate: Path, select: Any, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        opened(plate, select=select)


def test_images_of_a_converted_file_are_chosen(tmp_path: Path) -> None:
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    root.attrs["bioformats2raw.layout"] = 3
    for k in range(2):
        write_image(tmp_path / "a.zarr" / str(k), np.full((1, 3, 1, 8, 8), k, "uint8"), "0.4")
    assert (image(tmp_path / "a.zarr", select={"image": 1}) == 1).all()
    with pytest.raises(SourceError, match=r"holds 2 images.*\{image: 0\}"):
        opened(tmp_path / "a.zarr")
