"""Landsat Collection 2, level 1 and level 2: a folder or a tar, with gains and offsets of its MTL file.

Names and groups of the MTL are those of the Landsat 8-9 Collection 2 Level 2 Science Product Guide (USGS, LSDS-1619).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from pipeline.errors import SourceError
from pipeline.sources.band_files.calibration import Calibration
from pipeline.sources.band_files.product import Product, ProductBand
from pipeline.sources.band_files.tree import Tree

MTL = re.compile(r"(?:^|/)(L[A-Z](\d\d)_[^/]*)_MTL\.(txt|xml)$")
BAND = re.compile(r"_((?:SR_|ST_)?B\d+(?:_VCID_\d)?|QA_\w+|SR_QA_\w+|ST_QA|SR_ATMOS_OPACITY|SR_CLOUD_QA)\.TIF$")
IMAGE_BAND = re.compile(r"(SR_|ST_|)B(\d+)(_VCID_\d)?")
OLI_NAMES = ["coastal", "blue", "green", "red", "nir08", "swir16", "swir22", "pan", "cirrus", "lwir11", "lwir12"]
"""Common names of the bands of Landsat 8 and 9, from B1 on."""
TM_NAMES = ["blue", "green", "red", "nir08", "swir16", "lwir", "swir22", "pan"]
"""Those of Landsat 4, 5 and 7."""
FIRST_OLI = 8
REFLECTANCE_GROUPS = ("LEVEL2_SURFACE_REFLECTANCE_PARAMETERS", "LEVEL1_RADIOMETRIC_RESCALING")
"""Groups of the MTL with gains of images: of level 2, which has both, and of level 1."""
TEMPERATURE_GROUP = "LEVEL2_SURFACE_TEMPERATURE_PARAMETERS"
FILL = 0
"""Number of image pixels that mean nothing."""

Groups = dict[str, dict[str, str]]
"""Values of the MTL by group and key."""


def landsat_product(tree: Tree) -> Product | None:
    """The product in a folder or tar; None where there is none.

    Raises
    ------
    SourceError
        There are several, or the MTL cannot be read.
    """
    metadata = {name: match for name in tree.names if (match := MTL.search(name))}
    scenes = sorted({match[1] for match in metadata.values()})
    if not scenes:
        return None
    if len(scenes) > 1:
        raise SourceError(
            f"source.path is {tree.path}, which holds {len(scenes)} products of Landsat: {', '.join(scenes[:3])}. Give "
            f"the folder of one."
        )
    name = sorted(metadata, key=lambda name: metadata[name][3])[0]  # the text before the XML
    number = int(metadata[name][2])
    groups = _groups(tree, name)
    return Product(
        title=f"Landsat {number} {_level(groups)}",
        path=tree.path,
        bands=tuple(_bands(tree, scenes[0], groups, OLI_NAMES if number >= FIRST_OLI else TM_NAMES)),
        files=(tree.statted(name),),
    )


def _level(groups: Groups) -> str:
    return groups.get("PRODUCT_CONTENTS", {}).get("PROCESSING_LEVEL", "of an unknown level")


def _bands(tree: Tree, scene: str, groups: Groups, names: list[str]) -> Iterator[ProductBand]:
    files = {match[1]: name for name in tree.names if (match := BAND.search(name)) and scene in name}
    for band in sorted(files, key=_order):
        image = IMAGE_BAND.fullmatch(band)
        yield ProductBand(
            name=band,
            path=tree.gdal_path(files[band]),
            aliases=_aliases(image, names) if image else (),
            calibration=_calibration(image, groups) if image else None,
            nodata=FILL if image else None,
            image=image is not None,
        )


def _order(band: str) -> tuple[bool, bool, int, str]:
    """Images by their number before temperatures before qualities."""
    image = IMAGE_BAND.fullmatch(band)
    return image is None, band.startswith("ST_"), int(image[2]) if image else 0, band


def _aliases(image: re.Match[str], names: list[str]) -> tuple[str, ...]:
    """The common name, B and the number, and the number alone; of one of two gains its full name alone."""
    number = int(image[2])
    if image[3] or number > len(names):
        return ()
    common = names[number - 1]
    return (common, f"b{number}", str(number), *(("nir",) if common == "nir08" else ()))


def _calibration(image: re.Match[str], groups: Groups) -> Calibration | None:
    """Gain and offset of an image; None of one without them, such as a radiance of a thermal band."""
    ending = f"BAND_{image[1] if image[1] == 'ST_' else ''}{'B' if image[1] == 'ST_' else ''}{image[2]}{image[3] or ''}"
    kind = "TEMPERATURE" if image[1] == "ST_" else "REFLECTANCE"
    for group in (TEMPERATURE_GROUP,) if image[1] == "ST_" else REFLECTANCE_GROUPS:
        values = groups.get(group, {})
        if f"{kind}_MULT_{ending}" in values:
            return Calibration(gain=float(values[f"{kind}_MULT_{ending}"]), bias=float(values[f"{kind}_ADD_{ending}"]))
    return None


def _groups(tree: Tree, name: str) -> Groups:
    """The MTL by group, from its text or its XML."""
    try:
        text = tree.read(name)
        groups = _of_xml(fromstring(text)) if name.endswith(".xml") else _of_text(text.decode())
    except (ParseError, DefusedXmlException, OSError, ValueError) as error:
        raise SourceError(f"{tree.path}/{name} cannot be read as metadata: {error}. Fetch the product anew.") from error
    if not any(group in groups for group in REFLECTANCE_GROUPS):
        raise SourceError(
            f"{tree.path}/{name} has none of {' and '.join(REFLECTANCE_GROUPS)}, as products of Collection 2 have. "
            f"Name the files of another product in a template or a mapping."
        )
    return groups


def _of_xml(root: Element) -> Groups:
    return {group.tag: {value.tag: (value.text or "").strip() for value in group} for group in root}


def _of_text(text: str) -> Groups:
    """``GROUP = A``, ``KEY = VALUE``, ``END_GROUP = A``; groups inside a group count by themselves."""
    groups: Groups = {}
    current: list[str] = []
    for line in text.splitlines():
        key, equals, value = (part.strip() for part in line.partition("="))
        if key == "GROUP":
            current.append(value)
            groups.setdefault(value, {})
        elif key == "END_GROUP":
            current.pop()
        elif equals and current:
            groups[current[-1]][key] = value.strip('"')
    return groups
