from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.config import SourceConfig
from pipeline.errors import SourceError
from pipeline.sources.band_files.files import files_of, in_template


def paths(path: Any, bands: Any = None) -> list[tuple[str, str]]:
    return [(file.name, Path(file.path).name) for file in files_of(SourceConfig(kind="bands", path=path, bands=bands))]


def test_a_template_is_written_with_numbers_names_and_digits(tmp_path: Path) -> None:
    assert in_template("a/B{band}.tif", 3) == "a/B3.tif"
    assert in_template("B{band:02}.tif", 3) == "B03.tif"
    assert in_template("{band}/{band:02}.tif", "8A") == "8A/8A.tif"
    for name in ("B1.tif", "B12.tif"):
        (tmp_path / name).touch()
    assert paths(f"{tmp_path}/B{{band}}.tif", [12, "1"]) == [("12", "B12.tif"), ("1", "B1.tif")]


def test_a_band_that_is_missing_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    for name in ("B1.tif", "B2.tif", "C3.tif"):
        (tmp_path / name).touch()
    with pytest.raises(SourceError, match=r"The config asks for 4, but .*B\{band\}.tif has no such band. It has 1, 2."):
        paths(f"{tmp_path}/B{{band}}.tif", [1, 4])
    with pytest.raises(SourceError, match=r"asks for blue, but source.path has no such band. It has red, nir\."):
        paths({"red": "a.tif", "nir": "b.tif"}, ["red", "blue"])
    with pytest.raises(SourceError, match="It has none"):
        paths(f"{tmp_path}/none/B{{band}}.tif", [1])


def test_a_template_wants_its_bands_named(tmp_path: Path) -> None:
    for name in ("B1.tif", "B2.tif"):
        (tmp_path / name).touch()
    with pytest.raises(SourceError, match=r"Name them in source.bands; there are 1, 2\."):
        paths(f"{tmp_path}/B{{band}}.tif")


def test_a_single_file_is_no_source_of_bands(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"names no file per band.*template such as B\{band\}.tif.*kind: raster"):
        paths(str(tmp_path / "a.tif"))


def test_files_on_a_server_are_not_looked_for_by_listing() -> None:
    assert paths("https://example.com/B{band}.tif", [4]) == [("4", "B4.tif")]
