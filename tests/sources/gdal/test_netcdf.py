from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from pipeline.config import SourceConfig
from pipeline.sources import open_source
from tests.sources.validity.test_validity import everything

VALUES = np.arange(12, dtype="int16").reshape(3, 4)


def cube(path: Path, y: np.ndarray) -> Path:
    pytest.importorskip("scipy")
    x = 500_005.0 + 10 * np.arange(4)
    xr.Dataset({"a": (("y", "x"), VALUES), "b": (("y", "x"), VALUES[::-1])}, coords={"x": x, "y": y}).to_netcdf(
        path, engine="scipy"
    )
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", ["netcdf:{}:a", 'NETCDF:"{}":a'])
@pytest.mark.parametrize("down", [True, False])
def test_rows_of_a_variable_lie_where_its_coordinates_say(tmp_path: Path, name: str, down: bool) -> None:
    y = 4_999_995.0 - 10 * np.arange(3)
    path = name.format(cube(tmp_path / "cube.nc", y if down else y[::-1]))
    source = open_source(SourceConfig(path=path))
    assert source.grid.transform == (10, 0, 500_000, 0, -10, 5_000_000)
    assert (everything(path).data[0] == (VALUES if down else VALUES[::-1])).all()


def test_uneven_coordinates_are_none(tmp_path: Path) -> None:
    path = f"netcdf:{cube(tmp_path / 'cube.nc', np.array([3.0, 1.0, 0.0]))}:a"
    assert open_source(SourceConfig(path=path)).grid.transform == (1, 0, 0, 0, 1, 0)
