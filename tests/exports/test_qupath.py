"""What QuPath asks of GeoJSON, rule by rule, as its reader asks it.

Each rule is one of QuPath's source, https://github.com/qupath/qupath/tree/main/qupath-core/src/main/java/qupath/lib,
whose files the comments name. QuPath itself was not tried.
"""

from __future__ import annotations

import json
import math
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.exports.vectors.qupath import write_qupath
from pipeline.objects.features import FeatureOptions, Features, find_features
from pipeline.objects.mask import mask_blocks
from tests.exports.test_vectors import MARK, SLIDE, mask_array
from tests.objects.test_components import ArrayMask
from tests.store import specs

NAMES = ("Äcker: Weizen", "line\nbreak", "forest")


def features(folder: Path, connectivity: Any) -> Features:
    array = mask_array()
    classes = [replace(row, name=name, role=None) for row, name in zip(specs.CLASSES, NAMES, strict=True)]
    return find_features(
        mask_blocks(ArrayMask(array), 32),
        SLIDE,
        classes,
        folder / "scratch",
        options=FeatureOptions(connectivity=connectivity),
        confidence_of=lambda window: np.full(array.shape, 100, dtype=np.uint8)[window.slices],
    )


@pytest.mark.parametrize("connectivity", [4, 8])
def test_every_object_keeps_the_rules_of_qupaths_reader(tmp_path: Path, connectivity: int) -> None:
    found = features(tmp_path, connectivity)
    file = tmp_path / "a.qupath.geojson"
    write_qupath(found.batches(), file, found.fields, MARK)
    # io/PathIO.java, readObjects: .json or .geojson; an InputStreamReader of the encoding that the machine has
    assert file.name.endswith(".geojson")
    document = json.loads(file.read_bytes().decode("ascii"))
    # io/PathIO.java, addPathObjects: what has another type, or none, is passed over without a word
    assert document["type"] == "FeatureCollection"
    objects = [parsed(feature) for feature in document["features"]]
    assert len(objects) == sum(len(batch) for batch in found.batches())
    assert len({identifier for identifier, _ in objects}) == len(objects)
    assert {name for _, name in objects} == {"Äcker∶ Weizen", "line break", "forest"}


def parsed(feature: dict[str, Any]) -> tuple[uuid.UUID, str]:
    """The id and the class of an object, if the reader takes all of it; QuPathTypeAdapters.java, parseObject."""
    assert feature["type"] == "Feature"
    check_geometry(feature["geometry"])
    properties = feature["properties"]
    assert properties["objectType"] in ("annotation", "detection", "tile", "cell")
    assert isinstance(properties["name"], str)
    # MeasurementListTypeAdapter: a map of names to doubles, or a list of {name, value}
    assert properties["measurements"]
    for name, value in properties["measurements"].items():
        assert isinstance(name, str)
        assert math.isfinite(value)
    # UUID.fromString; another id is dropped
    return uuid.UUID(feature["id"]), class_name(properties["classification"])


def check_geometry(geometry: dict[str, Any]) -> None:
    """ROITypeAdapters.java, parseGeometry, and the LinearRing of JTS: closed, and of four points at least."""
    assert geometry["type"] in ("Polygon", "MultiPolygon")
    polygons = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
    for rings in polygons:
        assert rings
        for ring in rings:
            assert len(ring) >= 4
            assert ring[0] == ring[-1]
            assert all(len(point) == 2 for point in ring)
    # pixels of the full resolution, of which QuPath keeps two decimals
    rows = [y for rings in polygons for ring in rings for _, y in ring]
    assert 0 <= min(rows) <= max(rows) <= SLIDE.height
    assert all(value == round(value, 2) for value in rows)


def class_name(classification: dict[str, Any]) -> str:
    """objects/classes/PathClass.java: names have neither line breaks nor colons; a colour is three bytes."""
    name, color = classification["name"], classification["color"]
    assert name.strip() == name != ""
    assert not set(name) & set(":\r\n")
    assert len(color) == 3
    assert all(isinstance(value, int) and 0 <= value <= 255 for value in color)
    return str(name)
