"""Objects of a store as files, by the command's own way: classes, sizes, marks, and what is refused."""

from __future__ import annotations

import gzip
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
import shapely
from rasterio.features import shapes

from pipeline.errors import ConfigError, InputError, PlanError
from pipeline.exports import KINDS, export
from pipeline.exports.mark import is_foreign
from pipeline.exports.task import ExportRequest, ExportTask
from pipeline.exports.vectors.forms import VECTOR_FORMS
from pipeline.store.ledger import Ledger
from pipeline.store.lifecycle import open_layer
from tests.exports.test_pictures import META
from tests.store import specs

READ_BY_OGR = ("gpkg", "flatgeobuf", "geojson", "qupath")


def task(folder: Path, to: str, grid: str = "with a code", layer: str | None = None, **options: Any) -> ExportTask:
    spec = specs.spec(grid, layers=("mask", "confidence"))
    path = folder / "a.zarr"
    if not path.exists():
        specs.store(path, spec)
        for block in ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)):
            Ledger(path).commit(block, {"chunks": {}})
    return ExportTask(path, spec, META, ExportRequest(to=to, layer=layer, options=options))


@pytest.fixture(autouse=True)
def _meta(monkeypatch: pytest.MonkeyPatch) -> None:
    """The root of a store of the tests says no more than `specs.store` does."""
    monkeypatch.setattr("pipeline.store.reader.read_store_meta", lambda path: {**META, "classes": CLASSES})


CLASSES = [{"code": row.code, "name": row.name, "color": row.color, "role": row.role} for row in specs.CLASSES]


@pytest.mark.parametrize("to", VECTOR_FORMS)
def test_every_form_lies_beside_its_store_with_its_mark(tmp_path: Path, to: str) -> None:
    file = export(task(tmp_path, to))
    assert file == tmp_path / f"a{KINDS[to].ending}"
    assert not is_foreign(file, "a.zarr")
    assert is_foreign(file, "b.zarr")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["a.zarr", file.name])


@pytest.mark.parametrize("to", READ_BY_OGR)
def test_objects_are_those_of_the_whole_mask(tmp_path: Path, to: str) -> None:
    import pyogrio

    file = export(task(tmp_path, to, "without a CRS" if to == "qupath" else "with a code"))
    pixels = specs.pixels(specs.spec())
    expected = sum(code in (0, 3) for _, code in shapes(pixels, pixels != 255))
    assert len(pyogrio.raw.read(file)[2]) == expected


def test_classes_and_sizes_choose_the_objects(tmp_path: Path) -> None:
    import pyogrio

    geometry = pyogrio.raw.read(export(task(tmp_path, "gpkg", classes=["forest"], min_area="30 px")))[2]
    pixels = specs.pixels(specs.spec())
    areas = [shapely.geometry.shape(outline).area for outline, code in shapes(pixels, pixels == 7) if code == 7]
    assert len(geometry) == sum(area >= 30 for area in areas)


def test_what_cannot_be_drawn_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    for kind, words, arguments in (
        (ConfigError, "layer confidence .* has no classes", {"layer": "confidence"}),
        (ConfigError, "--classes names swamp", {"classes": ["swamp"]}),
        (InputError, "no size of an object", {"min_area": "many"}),
    ):
        with pytest.raises(kind, match=words):
            export(task(tmp_path, "gpkg", **arguments))
    with pytest.raises(ConfigError, match="GeoJSON is in longitudes and latitudes"):
        export(task(tmp_path / "px", "geojson", "without a CRS"))
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


def test_memory_bounds_what_one_polygon_may_have(tmp_path: Path) -> None:
    small = task(tmp_path, "gpkg")
    bounded = replace(small, request=replace(small.request, memory=230 * 2**20 + 200 * 14))
    with pytest.raises(PlanError, match=r"memory is meant for 14\. Nothing was written"):
        export(bounded)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]


def test_qupath_reads_names_and_colours(tmp_path: Path) -> None:
    document = json.loads(export(task(tmp_path, "qupath", "of a slide")).read_text())
    classification = document["features"][0]["properties"]["classification"]
    assert classification["name"] in {row.name for row in specs.CLASSES}


def to_file(folder: Path, to: str, name: str, **options: Any) -> Path:
    given = task(folder, to, "of a slide" if to == "qupath" else "with a code", **options)
    export(replace(given, request=replace(given.request, out=folder / name)))
    return folder / name


def unpacked(file: Path) -> bytes:
    if file.suffix == ".gz":
        return gzip.decompress(file.read_bytes())
    with zipfile.ZipFile(file) as archive:
        (name,) = archive.namelist()
        assert name.endswith(".geojson")
        return archive.read(name)


@pytest.mark.parametrize("to", ["geojson", "qupath"])
@pytest.mark.parametrize("ending", [".gz", ".zip"])
def test_text_is_compressed_by_its_ending_and_bears_its_mark(tmp_path: Path, to: str, ending: str) -> None:
    plain, packed = (to_file(tmp_path, to, name) for name in ("a.geojson", f"a.geojson{ending}"))
    assert unpacked(packed) == plain.read_bytes()
    assert packed.stat().st_size < plain.stat().st_size / 4
    assert not is_foreign(packed, "a.zarr")
    assert is_foreign(packed, "b.zarr")
    before = packed.read_bytes()
    assert to_file(tmp_path, to, f"a.geojson{ending}").read_bytes() == before
    assert ending == ".zip" or before[4:8] == bytes(4)  # no time
    with pytest.raises(ConfigError, match="is compressed by itself"):
        to_file(tmp_path, "gpkg", "a.gpkg.gz")


@pytest.mark.parametrize("to", VECTOR_FORMS)
def test_pieces_of_large_objects_lie_in_every_form(tmp_path: Path, to: str) -> None:
    import pyogrio

    grid = "without a CRS" if to == "qupath" else "with a code"
    given = task(tmp_path, to, grid, classes=["open water"], max_vertices=16)
    mask = open_layer(given.store, 0, "mask")
    mask[:] = np.where(np.random.default_rng(2).random(mask.shape) < 0.8, 0, 255)
    file = export(given)
    info = pyogrio.read_info(file) if to != "geoparquet" else None
    if to == "qupath":
        rows = [feature["properties"] for feature in json.loads(file.read_text())["features"]]
        parts = [(row["name"].partition(" ")[0], int(row["measurements"]["part"])) for row in rows]
        assert len({feature["id"] for feature in json.loads(file.read_text())["features"]}) == len(rows)
        assert any(row["name"].endswith(f" (2 of {int(row['measurements']['parts'])})") for row in rows)
    elif to == "geoparquet":
        table = pyarrow.parquet.read_table(file)
        parts = list(zip(table["id"].to_pylist(), table["part"].to_pylist(), strict=True))
    else:
        assert info is not None
        assert {"part", "parts"} <= set(info["fields"])
        _, _, _, (numbers, pieces) = pyogrio.raw.read(file, columns=["id", "part"])
        parts = list(zip(numbers.tolist(), pieces.tolist(), strict=True))
    assert len(set(parts)) == len(parts) > 100


def test_qupath_takes_objects_for_what_is_asked_for(tmp_path: Path) -> None:
    document = json.loads(export(task(tmp_path, "qupath", "of a slide", object_type="detection")).read_text())
    assert {feature["properties"]["objectType"] for feature in document["features"]} == {"detection"}
    with pytest.raises(ConfigError, match="--object-type is of QuPath's objects"):
        export(task(tmp_path, "gpkg", object_type="detection"))
