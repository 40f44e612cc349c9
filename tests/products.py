"""Scenes as agencies deliver them, small: Sentinel-2 in the SAFE format, and Landsat Collection 2."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rasterio.transform import from_origin

from tests import scenes

SIDE_M = 480
LOSSLESS = {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES", "blockxsize": 32, "blockysize": 32}
RESOLUTIONS = {"B02": 10, "B03": 10, "B04": 10, "B08": 10, "B05": 20, "B11": 20, "B01": 60}
L2A = """<?xml version="1.0" encoding="UTF-8"?>
<n1:Level-2A_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-2A.xsd"><n1:General_Info>
<Product_Info><PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE></Product_Info><Product_Image_Characteristics>
<QUANTIFICATION_VALUES_LIST><BOA_QUANTIFICATION_VALUE unit="none">10000</BOA_QUANTIFICATION_VALUE>
</QUANTIFICATION_VALUES_LIST><BOA_ADD_OFFSET_VALUES_LIST>{offsets}</BOA_ADD_OFFSET_VALUES_LIST>
</Product_Image_Characteristics></n1:General_Info></n1:Level-2A_User_Product>"""
L1C = """<?xml version="1.0" encoding="UTF-8"?>
<n1:Level-1C_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-1C.xsd"><n1:General_Info>
<Product_Info><PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE></Product_Info><Product_Image_Characteristics>
<Radiometric_Offset_List>{offsets}</Radiometric_Offset_List>
<QUANTIFICATION_VALUE unit="none">10000</QUANTIFICATION_VALUE>
</Product_Image_Characteristics></n1:General_Info></n1:Level-1C_User_Product>"""


def reflected_light(size: float, seed: int = 0) -> np.ndarray:
    """(rows, cols) uint16 of a band of some pixel size, 0 in a corner."""
    count = round(SIDE_M / size)
    band = np.random.default_rng(round(size) + seed).integers(900, 6000, (count, count)).astype("uint16")
    band[: count // 8, : count // 8] = 0
    return band


def write_band(path: Path, band: np.ndarray, **profile: object) -> None:
    """A band on the ground of the scene."""
    path.parent.mkdir(parents=True, exist_ok=True)
    size = SIDE_M / len(band)
    scenes.write(path, band[np.newaxis], transform=from_origin(500_000, 4_600_000, size, size), **profile)


def safe(
    folder: Path, level: str = "L2A", offset: int | None = -1000, extra: Mapping[str, np.ndarray] | None = None
) -> Path:
    """A SAFE folder of the bands of `RESOLUTIONS`; without an offset as baselines before 04.00 write it."""
    root = folder / f"S2A_MSI{level}_20240601T100031_N0510_R122_T33TUG_20240601T140000.SAFE"
    images = root / "GRANULE" / f"{level}_T33TUG_A046719_20240601T100031" / "IMG_DATA"
    bands = {name: (size, reflected_light(size, int(name[1:]))) for name, size in RESOLUTIONS.items()}
    bands |= {name: (SIDE_M // len(band), band) for name, band in (extra or {}).items()}
    for name, (size, band) in bands.items():
        sizes = [size] if level == "L1C" or name != "B02" else [10, 20]
        for written in sizes:
            ending = f"{name}.jp2" if level == "L1C" else f"{name}_{written}m.jp2"
            file = images / ("" if level == "L1C" else f"R{written}m") / f"T33TUG_20240601T100031_{ending}"
            write_band(file, band if written == size else band[::2, ::2], **LOSSLESS)
    tag = "RADIO_ADD_OFFSET" if level == "L1C" else "BOA_ADD_OFFSET"
    offsets = "" if offset is None else "".join(f'<{tag} band_id="{k}">{offset}</{tag}>' for k in range(13))
    text = (L1C if level == "L1C" else L2A).format(offsets=offsets, baseline="02.14" if offset is None else "05.10")
    (root / f"MTD_MSI{level}.xml").write_text(text)
    return root


def zipped(root: Path) -> Path:
    """The same in a zip, as it is downloaded."""
    path = root.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(root.rglob("*")):
            archive.write(file, file.relative_to(root.parent).as_posix())
    return path


MTL = """GROUP = LANDSAT_METADATA_FILE
  GROUP = PRODUCT_CONTENTS
    PROCESSING_LEVEL = "{level}"
  END_GROUP = PRODUCT_CONTENTS
  GROUP = LEVEL2_SURFACE_REFLECTANCE_PARAMETERS
    {level2}
  END_GROUP = LEVEL2_SURFACE_REFLECTANCE_PARAMETERS
  GROUP = LEVEL2_SURFACE_TEMPERATURE_PARAMETERS
    TEMPERATURE_MULT_BAND_ST_B10 = 0.00341802
    TEMPERATURE_ADD_BAND_ST_B10 = 149.0
  END_GROUP = LEVEL2_SURFACE_TEMPERATURE_PARAMETERS
  GROUP = LEVEL1_RADIOMETRIC_RESCALING
    {level1}
  END_GROUP = LEVEL1_RADIOMETRIC_RESCALING
END_GROUP = LANDSAT_METADATA_FILE
END
"""
OLI = ("2", "3", "4", "5", "6")


def landsat(
    folder: Path, level: str = "L2SP", extra: Mapping[str, np.ndarray] | None = None, xml: bool = False
) -> Path:
    """A folder of a product of Landsat 8: level 2, or 1 with a panchromatic band of half the pixel size."""
    scene = f"LC08_{level}_190024_20240601_20240608_02_T1"
    root, prefix = folder / scene, "SR_" if level == "L2SP" else ""
    for name in OLI:
        write_band(root / f"{scene}_{prefix}B{name}.TIF", reflected_light(30, int(name)))
    further = {"ST_B10": reflected_light(30, 10)} if level == "L2SP" else {"B8": reflected_light(15, 8)}
    for name, band in {**further, **(extra or {})}.items():
        write_band(root / f"{scene}_{name}.TIF", band)

    def gains(mult: str, add: str) -> str:
        return "\n".join(f"REFLECTANCE_MULT_BAND_{k} = {mult}\nREFLECTANCE_ADD_BAND_{k} = {add}" for k in (*OLI, 8))

    text = MTL.format(level=level, level2=gains("2.75e-05", "-0.2"), level1=gains("2.0E-05", "-0.100000"))
    if level == "L1TP":
        start, end = (text.index(f"{word} = LEVEL2_SURFACE_REFLECTANCE") for word in ("GROUP", "END_GROUP"))
        text = text[:start] + text[end:].partition("\n")[2]
    (root / f"{scene}_MTL.{'xml' if xml else 'txt'}").write_text(as_xml(text) if xml else text)
    return root


def as_xml(text: str) -> str:
    """The same metadata as the agency's XML."""
    lines = []
    for line in text.splitlines():
        key, _, value = (part.strip() for part in line.partition("="))
        tag = {"GROUP": f"<{value}>", "END_GROUP": f"</{value}>"}
        lines.append(tag.get(key, f"<{key}>{value.strip(chr(34))}</{key}>" if value else ""))
    return "\n".join(lines)


def tarred(root: Path) -> Path:
    """The same in a tar, as it is downloaded."""
    path = root.with_suffix(".tar")
    with tarfile.open(path, "w") as archive:
        for file in sorted(root.iterdir()):
            archive.add(file, file.name)
    return path
