"""What other people's programs make of a store: Debian's GDAL, and its QGIS."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import runs, scenes
from tests.programs import is_installed, python_of_qgis

pytestmark = pytest.mark.nightly("readers")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The VRT of a v2 store, whose arrays every GDAL since 3.4 reads."""
    folder = tmp_path_factory.mktemp("foreign")
    runs.go(scenes.config(folder, output={"zarr_format": 2}))
    return folder / "job.vrt"


@pytest.mark.skipif(not is_installed("gdalinfo"), reason="needs gdalinfo: apt-get install gdal-bin")
def test_gdal_of_debian_opens_the_sidecar_with_crs_nodata_palette_and_overviews(made: Path) -> None:
    done = subprocess.run(["gdalinfo", "-json", "-checksum", str(made)], capture_output=True, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["size"] == [420, 300]
    assert 'ID["EPSG",32633]' in told["coordinateSystem"]["wkt"]
    assert told["geoTransform"] == [500000.0, 10.0, 0.0, 4600000.0, 0.0, -10.0]
    (band,) = told["bands"]
    assert (band["noDataValue"], band["colorInterpretation"]) == (255, "Palette")
    assert band["colorTable"]["entries"][1] == [0xD9, 0x5F, 0x02, 255]
    assert [level["size"] for level in band["overviews"]] == [[210, 150], [105, 75], [53, 38]]
    assert band["checksum"] == checksum(made.parent)


def checksum(folder: Path) -> int:
    """GDAL's checksum of the right mask."""
    scenes.write(folder / "whole.tif", scenes.whole(folder)[None])
    done = subprocess.run(
        ["gdalinfo", "-json", "-checksum", str(folder / "whole.tif")], capture_output=True, text=True, check=True
    )
    return int(json.loads(done.stdout)["bands"][0]["checksum"])


OPENS = """
import json, sys
from qgis.core import QgsApplication, QgsRasterLayer
application = QgsApplication([], False)
application.initQgis()
layer = QgsRasterLayer(sys.argv[1], "mask")
provider = layer.dataProvider()
classes = [(entry.value, entry.label, entry.color.name()) for entry in layer.renderer().classes()]
grid = [layer.isValid(), layer.crs().authid(), layer.width(), layer.height()]
print(json.dumps([*grid, provider.sourceNoDataValue(1), layer.renderer().type(), classes]))
"""


@pytest.mark.skipif(python_of_qgis() is None, reason="needs QGIS: apt-get install python3-qgis")
def test_qgis_of_debian_opens_the_sidecar_with_the_colours_of_the_classes(made: Path) -> None:
    environment = {"QT_QPA_PLATFORM": "offscreen", "PATH": "/usr/bin:/bin", "HOME": str(made.parent)}
    done = subprocess.run(
        [str(python_of_qgis()), "-c", OPENS, str(made)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    valid, crs, width, height, nodata, renderer, classes = json.loads(done.stdout.splitlines()[-1])
    assert (valid, crs, width, height, nodata, renderer) == (True, "EPSG:32633", 420, 300, 255, "paletted")
    assert [(value, colour) for value, _, colour in classes][:4] == list(
        enumerate(entry["color"] for entry in scenes.CLASSES)
    )
