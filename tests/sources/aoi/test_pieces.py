"""Polygons become pieces that do not overlap, and only those that meet are united."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from pipeline.geometry.window import Window
from pipeline.sources.aoi import pieces
from tests.sources.aoi import shapes

WHOLE = Window(row=0, col=0, height=shapes.HEIGHT, width=shapes.WIDTH)


def squares(count: int, side: float, gap: float) -> shapely.MultiPolygon:
    """A chequerboard of squares, so many in a row."""
    step = side + gap
    return shapely.MultiPolygon(
        [
            shapely.box(3.2 + k * step, 4.1 + i * step, 3.2 + k * step + side, 4.1 + i * step + side)
            for i in range(count)
            for k in range(count)
        ]
    )


def test_polygons_that_lie_apart_are_not_united(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    united: list[int] = []
    unite = shapely.union_all

    def counted(parts: Any, **axis: int) -> Any:
        united.extend([] if axis else [len(parts)])
        return unite(parts, **axis)

    monkeypatch.setattr(pieces.shapely, "union_all", counted)
    opened, expected = shapes.area(tmp_path, squares(9, 5.33, 2.21))
    assert max(united, default=1) == 1
    assert (opened.read(WHOLE) == expected).all()


@pytest.mark.parametrize("gap", [-1.6, 0.0])
def test_polygons_that_cover_or_touch_each_other_are_one_area(tmp_path: Path, gap: float) -> None:
    apart = shapely.box(100, 70, 110, 80)
    opened, expected = shapes.area(tmp_path, shapely.MultiPolygon([*squares(4, 10.5, gap).geoms, apart]))
    assert (opened.read(WHOLE) == expected).all()
    found = opened._aoi_pieces
    assert found.areas.sum() == pytest.approx(shapely.area(shapely.union_all(found.pieces)))


def test_random_pixels_of_many_polygons_lie_in_or_beside_them(tmp_path: Path) -> None:
    opened, expected = shapes.area(tmp_path, squares(9, 5.33, 2.21))
    rng = np.random.default_rng(0)
    for row, col in (opened.random_pixel(rng) for _ in range(20)):
        assert expected[row - 1 : row + 2, col - 1 : col + 2].any()
