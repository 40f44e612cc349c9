"""Sentinel-2 in the SAFE format: L1C and L2A, a folder or a zip.

Offsets and the quantification value come from the product's own metadata (Sentinel-2 Products Specification Document,
https://sentinels.copernicus.eu/web/sentinel/document-library): a date says nothing of reprocessed products.
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

METADATA = re.compile(r"(?:^|/)MTD_MSI(L1C|L2A)\.xml$")
IMAGE = re.compile(r"/IMG_DATA/(?:R\d\dm/)?[^/]*_(B\d[\dA]|SCL|AOT|WVP)(?:_(\d\d)m)?\.jp2$")
PROBABILITY = re.compile(r"/QI_DATA/MSK_(CLDPRB|SNWPRB)_(\d\d)m\.jp2$")
BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
"""In the order of the numbers by which the metadata names them."""
COMMON_NAMES = {
    "B01": "coastal",
    "B02": "blue",
    "B03": "green",
    "B04": "red",
    "B05": "rededge1",
    "B06": "rededge2",
    "B07": "rededge3",
    "B08": "nir",
    "B8A": "nir08",
    "B09": "nir09",
    "B10": "cirrus",
    "B11": "swir16",
    "B12": "swir22",
}
"""Names of the bands of any optical sensor (STAC, electro-optical extension)."""
RADIOMETRIC_KEYS = {
    "L1C": ("QUANTIFICATION_VALUE", "RADIO_ADD_OFFSET"),
    "L2A": ("BOA_QUANTIFICATION_VALUE", "BOA_ADD_OFFSET"),
}
"""Elements of the metadata: the divisor of raw numbers, and what is added to them before."""
NO_IMAGE = 0


def sentinel2_product(tree: Tree) -> Product | None:
    """The product in a folder or zip; None where there is none.

    Raises
    ------
    SourceError
        There are several, or the metadata cannot be read.
    """
    metadata = [name for name in tree.names if METADATA.search(name)]
    if not metadata:
        return None
    if len(metadata) > 1:
        raise SourceError(
            f"source.path is {tree.path}, which holds {len(metadata)} products of Sentinel-2: "
            f"{', '.join(metadata[:3])}. Give the folder of one."
        )
    level = METADATA.findall(metadata[0])[0]
    root = _parsed(tree, metadata[0])
    calibrations = _calibrations(root, *RADIOMETRIC_KEYS[level], f"{tree.path}/{metadata[0]}")
    baseline = next(_texts(root, "PROCESSING_BASELINE"), "unknown")
    prefix = metadata[0].rpartition("/")[0]
    return Product(
        title=f"Sentinel-2 {level}, processing baseline {baseline}",
        path=tree.path,
        bands=tuple(_bands(tree, f"{prefix}/" if prefix else "", calibrations)),
        offset_key=RADIOMETRIC_KEYS[level][1],
        files=(tree.statted(metadata[0]),),
    )


def _bands(tree: Tree, prefix: str, calibrations: dict[str, Calibration]) -> Iterator[ProductBand]:
    """Each band once, of the finest files that there are of it."""
    files: dict[str, dict[int, list[str]]] = {}
    for name in tree.names:
        match = IMAGE.search(name) or PROBABILITY.search(name)
        if match and name.startswith(prefix):
            files.setdefault(match[1], {}).setdefault(int(match[2] or 0), []).append(name)
    for band in [*BANDS, *sorted(files.keys() - set(BANDS))]:
        if band not in files:
            continue
        finest = files[band][min(files[band])]
        if len(finest) > 1:
            raise SourceError(
                f"source.path is {tree.path}, which holds {len(finest)} granules with the band {band}. Name the files "
                f"of one granule in a mapping."
            )
        spectral = band in BANDS
        yield ProductBand(
            name=band,
            path=tree.gdal_path(finest[0]),
            aliases=(COMMON_NAMES[band], f"b{band[1:].lstrip('0')}".lower(), band[1:].lstrip("0").lower())
            if spectral
            else (),
            calibration=calibrations[band] if spectral else None,
            nodata=NO_IMAGE if spectral else None,
            image=spectral,
        )


def _calibrations(root: Element, divisor: str, offset: str, place: str) -> dict[str, Calibration]:
    quantification = next((float(text) for text in _texts(root, divisor)), None)
    if not quantification:
        raise SourceError(f"{place} has no {divisor}, so that its numbers mean nothing. Fetch the product anew.")
    offsets = {
        BANDS[int(element.get("band_id", "0"))]: round(float(element.text or 0)) for element in _elements(root, offset)
    }
    return {
        band: Calibration(
            gain=1 / quantification, bias=offsets.get(band, 0) / quantification, offset=offsets.get(band, 0)
        )
        for band in BANDS
    }


def _parsed(tree: Tree, name: str) -> Element:
    try:
        root: Element = fromstring(tree.read(name))
    except (ParseError, DefusedXmlException, OSError, ValueError) as error:
        raise SourceError(f"{tree.path}/{name} cannot be read as metadata: {error}. Fetch the product anew.") from error
    return root


def _elements(root: Element, tag: str) -> Iterator[Element]:
    return (element for element in root.iter() if element.tag.rpartition("}")[2] == tag)


def _texts(root: Element, tag: str) -> Iterator[str]:
    return (element.text.strip() for element in _elements(root, tag) if element.text)
