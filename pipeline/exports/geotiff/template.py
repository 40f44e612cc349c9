"""The tags of a GeoTIFF as GDAL writes them: georeference, palette, nodata, names of bands, and the mark."""

from __future__ import annotations

from typing import Any

from pipeline.exports.geotiff.tags import Tag, read_tags
from pipeline.exports.layer_part import LayerPart
from pipeline.exports.mark import Mark
from pipeline.geometry.grid import UNIT_TAG, Grid
from pipeline.store.layers import CLASS_LAYERS
from pipeline.store.spec import StoreSpec
from pipeline.store.values import ValuesSpec

TILE = 512
"""Side of a tile, px."""
MARK_TAG = "WHOLECLOTH_EXPORT"
_OVERVIEW_TAGS = {258, 259, 262, 277, 284, 317, 320, 338, 339, 42113}
"""What GDAL writes of an overview: bits, codec, colours, samples, and nodata."""
_LAID_OUT = {254, 256, 257, 273, 278, 279, 322, 323, 324, 325}
"""Sizes and places, which the large file has of its own."""
_UM_PER_CM = 10_000.0


def file_dtype(part: LayerPart) -> str:
    """The dtype of the file: that of the layer, but for float16, which few readers know."""
    return {"float16": "float32"}.get(part.layer.dtype, part.layer.dtype)


def nodata_of(part: LayerPart) -> float | None:
    """Nodata of a layer; None where its fill value is an answer as well."""
    layer = part.layer
    return None if part.name == "probabilities" and layer.fill == 0 else layer.fill


def template_tags(part: LayerPart, mark: Mark) -> list[Tag]:
    """Tags of the full resolution, without those that say sizes and places."""
    import rasterio  # a store is finished where it is not installed, as long as nothing is exported
    from rasterio.io import MemoryFile

    profile: dict[str, Any] = {
        "driver": "GTiff",
        "height": TILE,
        "width": TILE,
        "count": part.planes,
        "dtype": file_dtype(part),
        "nodata": nodata_of(part),
        "tiled": True,
        "blockxsize": TILE,
        "blockysize": TILE,
        "compress": "deflate",
        "interleave": "band",
        "sparse_ok": True,
        **_place(part.grid),
    }
    with MemoryFile() as memory:
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), memory.open(**profile) as dataset:
            _describe(dataset, part, mark)
        return [tag for tag in read_tags(memory.read()) if tag.code not in _LAID_OUT]


def overview_tags(tags: list[Tag]) -> list[Tag]:
    """Those of the tags of the full resolution that an overview repeats."""
    return [tag for tag in tags if tag.code in _OVERVIEW_TAGS]


def _place(grid: Grid) -> dict[str, Any]:
    from rasterio.crs import CRS
    from rasterio.transform import Affine

    place: dict[str, Any] = {"transform": Affine(*grid.transform)}
    return {**place, "crs": CRS.from_wkt(grid.wkt)} if grid.wkt else place


def _describe(dataset: Any, part: LayerPart, mark: Mark) -> None:
    dataset.update_tags(**{MARK_TAG: str(mark), "TIFFTAG_SOFTWARE": "wholecloth"})
    if part.grid.unit == "um":
        height, width = part.grid.pixel_size
        dataset.update_tags(
            **{
                UNIT_TAG: "um",
                "TIFFTAG_XRESOLUTION": str(_UM_PER_CM / width),
                "TIFFTAG_YRESOLUTION": str(_UM_PER_CM / height),
                "TIFFTAG_RESOLUTIONUNIT": "3",
            }
        )
    if part.name in CLASS_LAYERS:
        dataset.set_band_description(1, "class")
        dataset.write_colormap(1, _palette(part.spec))
    elif part.name == "probabilities":
        for band, row in enumerate(part.spec.axis, start=1):
            dataset.set_band_description(band, row.name)
        _scale(dataset, part)
    elif part.name == "values":
        _name_channels(dataset, part.spec.values)
    elif part.layer.planes is not None:
        _name_channels(dataset, ValuesSpec(channels=part.spec.values.channels))
    else:
        dataset.set_band_description(1, part.name)
        _scale(dataset, part)


def _name_channels(dataset: Any, values: ValuesSpec) -> None:
    """Names of the channels of a network's own values, and scale and offset of integers."""
    for band, name in enumerate(values.channels, start=1):
        dataset.set_band_description(band, name)
    if values.scale:
        dataset.scales, dataset.offsets = values.scale, values.offset


def _scale(dataset: Any, part: LayerPart) -> None:
    """By what bytes are multiplied to be probabilities."""
    scales = {"confidence": 1 / 255, "probabilities": 1 / 255, "entropy": 1 / 254}
    if part.layer.dtype == "uint8" and part.name in scales:
        dataset.scales = [scales[part.name]] * part.planes


def _palette(spec: StoreSpec) -> dict[int, tuple[int, int, int, int]]:
    return {**{row.code: (*row.rgb, 255) for row in spec.classes}, spec.nodata: (0, 0, 0, 0)}
