from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import tifffile

from pipeline.config import SourceConfig
from pipeline.errors import SourceError
from pipeline.sources import open_source
from pipeline.sources.gdal.pixel_size import pixel_size
from tests import scenes

OME = {"axes": "YX", "PhysicalSizeX": 250.0, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.5, "PhysicalSizeYUnit": "µm"}
APERIO = (
    "Aperio Image Library v12\n46000x32914 [0,100 46000x32814] (256x256) JPEG/RGB Q=70|AppMag = 20|MPP "
    "= 0.4990|Left = 25"
)


@pytest.mark.parametrize(
    ("said", "size", "origin"),
    [
        ({"ome": True, "metadata": OME}, (0.5, 0.25), "OME-XML"),
        (
            {"ome": True, "metadata": {"axes": "YX"}, "resolution": (20000, 10000), "resolutionunit": "CENTIMETER"},
            (1.0, 0.5),
            "resolution tags",
        ),
        ({"resolution": (50800, 50800), "resolutionunit": "INCH"}, (0.5, 0.5), "resolution tags"),
        ({"imagej": True, "resolution": (1 / 0.65, 1 / 0.65), "metadata": {"unit": "um"}}, (0.65, 0.65), "ImageJ"),
        ({"imagej": True, "resolution": (1000, 1000), "metadata": {"unit": "mm"}}, (1.0, 1.0), "ImageJ"),
        ({"description": APERIO}, (0.499, 0.499), "Aperio"),
    ],
)
def test_the_size_of_a_pixel_is_that_of_the_files_own_tags(
    tmp_path: Path, said: dict[str, Any], size: tuple[float, float], origin: str
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((30, 40), "uint16"), **said)
    source = open_source(SourceConfig(path=str(tmp_path / "a.tif")))
    assert source.grid.unit == "um"
    assert np.allclose(source.grid.pixel_size, size, rtol=1e-5)
    assert any(origin in note for note in source.notes)


@pytest.mark.parametrize(
    "said",
    [
        {"resolution": (72, 72), "resolutionunit": "INCH"},
        {"resolution": (118.11, 118.11), "resolutionunit": "CENTIMETER"},
        {"imagej": True, "resolution": (2, 2), "metadata": {"unit": "pixel"}},
        {
            "ome": True,
            "metadata": {
                "axes": "YX",
                "PhysicalSizeX": 1.0,
                "PhysicalSizeXUnit": "pixel",
                "PhysicalSizeY": 1.0,
                "PhysicalSizeYUnit": "pixel",
            },
        },
    ],
)
def test_a_printers_resolution_and_what_is_no_length_say_nothing(tmp_path: Path, said: dict[str, Any]) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((30, 40), "uint16"), **said)
    grid = open_source(SourceConfig(path=str(tmp_path / "a.tif"))).grid
    assert (grid.unit, grid.pixel_size) == ("px", (1.0, 1.0))


@pytest.mark.parametrize("dpi", [72, 96])
def test_the_resolution_of_a_screen_is_told_and_not_taken(tmp_path: Path, dpi: int) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((30, 40), "uint8"), resolution=(dpi, dpi), resolutionunit="INCH")
    source = open_source(SourceConfig(path=str(tmp_path / "a.tif")))
    assert source.grid.unit == "px"
    assert any(f"is {dpi} dpi of a screen" in note and "source.pixel_size" in note for note in source.notes)


def test_the_resolution_of_a_screen_that_ome_xml_repeats_is_taken_and_told(tmp_path: Path) -> None:
    size = {"PhysicalSizeX": 25400 / 96, "PhysicalSizeY": 25400 / 96}
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((30, 40), "uint8"), ome=True, metadata={"axes": "YX", **size})
    source = open_source(SourceConfig(path=str(tmp_path / "a.tif")))
    assert source.grid.pixel_size == pytest.approx((264.583, 264.583), rel=1e-5)
    assert any("the 96 dpi of a screen: source.pixel_size overrules it" in note for note in source.notes)


def test_the_config_gives_or_overrules_the_size(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((30, 40), "uint8"))
    tifffile.imwrite(tmp_path / "b.tif", np.zeros((30, 40), "uint8"), description=APERIO)
    bare = open_source(SourceConfig(path=str(tmp_path / "a.tif"), pixel_size=0.5))
    assert (bare.grid.unit, bare.grid.pixel_size) == ("um", (0.5, 0.5))
    assert bare.notes == ("0.5 µm per px, by source.pixel_size",)
    other = open_source(SourceConfig(path=str(tmp_path / "b.tif"), pixel_size=[0.5, 0.25]))
    assert other.grid.pixel_size == (0.5, 0.25)
    assert any("in place of 0.499 µm per px, by Aperio's MPP" in note for note in other.notes)


def test_a_part_of_an_image_stays_as_many_pixels_from_its_corner(tmp_path: Path) -> None:
    cut = {"crs": None, "transform": rasterio.Affine(0.5, 0, 50, 0, 0.5, 10)}
    path = scenes.write(tmp_path / "a.tif", np.zeros((1, 30, 40), "uint8"), **cut)
    grid = open_source(SourceConfig(path=str(path), pixel_size=0.2)).grid
    assert (grid.transform, grid.unit) == ((0.2, 0.0, 20.0, 0.0, 0.2, 4.0), "um")


def test_a_size_beside_a_crs_is_refused(tmp_path: Path) -> None:
    path = scenes.write(tmp_path / "a.tif", np.zeros((1, 30, 40), "uint16"))
    with pytest.raises(SourceError, match=r"source\.pixel_size is 0\.5 µm, but .* has a CRS"):
        open_source(SourceConfig(path=str(path), pixel_size=0.5))


def test_a_georeference_is_never_replaced(tmp_path: Path) -> None:
    path = scenes.write(tmp_path / "a.tif", np.zeros((1, 30, 40), "uint16"))
    with rasterio.open(path, "r+") as out:
        out.update_tags(TIFFTAG_XRESOLUTION="20000", TIFFTAG_YRESOLUTION="20000", TIFFTAG_RESOLUTIONUNIT="3")
    assert open_source(SourceConfig(path=str(path))).grid.unit == "crs"


@pytest.mark.parametrize("text", ["<OME", "<!DOCTYPE a [<!ENTITY b 'c'>]><OME>&b;</OME>", "ImageJ=1\nunit=um"])
def test_a_damaged_or_hostile_description_says_nothing(text: str) -> None:
    assert pixel_size({"TIFFTAG_IMAGEDESCRIPTION": text}) is None
