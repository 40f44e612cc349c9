from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.planning.first_config.yaml_sections import output_section, source_section


@pytest.mark.parametrize(
    ("scene", "written", "store"),
    [
        ("GTIFF_DIR:2:img.tif", "GTIFF_DIR:2:{here}/img.tif", "2_img"),
        ('NETCDF:"cube.nc":B04', 'NETCDF:"{here}/cube.nc":B04', "cube_B04"),
        ('HDF5:"cube.nc"://group/red', 'HDF5:"{here}/cube.nc"://group/red', "cube_red"),
        ("cube.nc", "cube.nc", "cube"),
    ],
)
def test_a_name_of_gdals_is_written_so_that_it_holds_and_names_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scene: str, written: str, store: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("img.tif", "cube.nc"):
        (tmp_path / name).touch()
    text = "\n".join(source_section({"path": scene}, None, tmp_path, {})).replace("'", "").replace('\\"', '"')
    assert written.replace("{here}", str(tmp_path)) in text
    assert any(f"out/{store}.zarr" in line for line in output_section(scene))
