from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely

from pipeline.config import LabelsConfig, SceneConfig, SourceConfig
from pipeline.errors import ConfigError, LabelsError
from pipeline.geometry.window import Window
from pipeline.interfaces import IGNORE
from pipeline.store.spec import ClassRow
from pipeline.train.scenes import UNKNOWN_INDEX, Scene, index_table, open_scene
from tests import scenes, vector_files
from tests.train.conftest import ROWS, opened

WHOLE = Window(row=0, col=0, height=160, width=200)


def test_labels_of_held_out_blocks_and_beyond_the_area_are_unknown(pair: tuple[Path, Path]) -> None:
    scene = replace(opened(pair, area=[10, 20, 100, 120]), validation_cells=frozenset({(1, 2)}))
    window = Window(row=-5, col=3, height=140, width=190)
    known = scene.label_codes(window) != IGNORE
    rows, cols = np.mgrid[-5:135, 3:193]
    inside = (rows >= 10) & (rows < 110) & (cols >= 20) & (cols < 140)
    held = (rows // 32 == 1) & (cols // 32 == 2)
    np.testing.assert_array_equal(known, inside & ~held)


def test_the_blocks_of_a_window_are_those_it_touches_within_the_area(pair: tuple[Path, Path]) -> None:
    scene = opened(pair, area=[10, 20, 100, 120])
    assert scene.cells(scene.area) == [(row, col) for row in range(4) for col in range(5)]
    assert scene.cells(Window(row=32, col=64, height=32, width=32)) == [(1, 2)]
    assert scene.cells(Window(row=-40, col=150, height=20, width=20)) == []


def test_a_block_at_the_edge_ends_with_the_image(scene: Scene) -> None:
    assert scene.window((4, 6)) == Window(row=128, col=192, height=32, width=8)


def test_channels_are_counted_in_their_order_and_ignored_classes_have_none() -> None:
    rows = [
        ClassRow(code=7, name="a", color="#000000"),
        ClassRow(code=3, name="b", color="#000000", role="ignore"),
        ClassRow(code=9, name="c", color="#000000"),
    ]
    table = index_table(rows, [9, 7, 3])
    assert (table[9], table[7], table[3], table[0], table[IGNORE]) == (
        0,
        1,
        UNKNOWN_INDEX,
        UNKNOWN_INDEX,
        UNKNOWN_INDEX,
    )


def test_an_area_beyond_the_image_is_refused(pair: tuple[Path, Path]) -> None:
    with pytest.raises(ConfigError, match="reaches beyond its 160 × 200 px"):
        opened(pair, area=[100, 0, 61, 10])


def test_labels_of_another_place_are_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    from rasterio.transform import from_origin

    elsewhere = scenes.write(
        tmp_path / "elsewhere.tif",
        np.ones((1, 50, 50), dtype="uint8"),
        transform=from_origin(900_000, 1_000_000, 10, 10),
    )
    with pytest.raises(LabelsError):
        opened((pair[0], elsewhere))


def test_what_lies_outside_an_area_of_interest_teaches_nothing_and_the_area_is_part_of_what_is_learnt_from(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    left, _, _, top = opened(pair).image.grid.bounds
    area = shapely.box(left + 305, top - 704, left + 912, top - 96)  # m, of pixels of 10 m
    path = tmp_path / "area.gpkg"
    vector_files.write(
        path,
        geometry=shapely.to_wkb([area]),
        field_data=[],
        fields=[],
        crs="EPSG:32633",
        driver="GPKG",
        geometry_type="Polygon",
    )
    said = SceneConfig(path=str(pair[0]), labels=LabelsConfig(path=str(pair[1])), area=[0, 50, 160, 150])
    scene = open_scene(said, SourceConfig(path="unused", aoi=str(path)), ROWS, 32)
    rows, cols = np.mgrid[-5:160, 3:193]
    expected = (rows >= 10) & (rows < 70) & (cols >= 50) & (cols < 91)
    np.testing.assert_array_equal(scene.label_codes(Window(row=-5, col=3, height=165, width=190)) != IGNORE, expected)
    assert scene.truth != open_scene(said, SourceConfig(path="unused"), ROWS, 32).truth


def test_scenes_are_read_in_the_form_of_the_source(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """A stack, a mapping and a template of the image's bands give its pixels."""
    data = scenes.read(pair[0]).astype("uint16")
    files = [str(scenes.write(tmp_path / f"B{k}.tif", band[np.newaxis], nodata=0)) for k, band in enumerate(data, 1)]
    named = dict(zip("abc", files, strict=True))
    expected = opened(pair).image.read(WHOLE)
    for source, path in (
        ({"kind": "stack", "path": ["x.tif", "y.tif", "z.tif"]}, files),
        ({"kind": "stack", "path": ["x.tif", {"kind": "bands", "path": {"a": "y.tif", "b": "z.tif"}}]}, None),
        ({"kind": "bands", "path": {"a": "x.tif"}, "bands": ["a", "b", "c"]}, named),
        ({"kind": "bands", "path": "x", "bands": [1, 2, 3]}, str(tmp_path / "B{band}.tif")),
    ):
        path = path or [files[0], {"a": files[1], "b": files[2]}]
        config = SceneConfig(path=path, labels=LabelsConfig(path=str(pair[1])))
        got = open_scene(config, SourceConfig(**source), ROWS, 32)
        assert (got.image.read(WHOLE).data == expected.data).all()
        assert (got.image.read(WHOLE).valid == expected.valid).all()


def test_a_scene_in_another_form_than_the_source_is_refused(pair: tuple[Path, Path]) -> None:
    for source, path in (
        ({"path": "x.tif"}, [str(pair[0])]),
        ({"path": "x.tif"}, {"red": str(pair[0])}),
        ({"kind": "stack", "path": ["x.tif", "y.tif"]}, str(pair[0])),
        ({"kind": "stack", "path": ["x.tif", "y.tif"]}, [str(pair[0])]),
    ):
        config = SceneConfig(path=path, labels=LabelsConfig(path=str(pair[1])))
        with pytest.raises(ConfigError, match=r"in another form than source.path"):
            open_scene(config, SourceConfig(**source), ROWS, 32)
