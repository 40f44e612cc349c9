"""``kind: bands``: a scene as a file per band, at one resolution or several, read as one raster."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.config import SourceConfig
from pipeline.config.source import NotConfig
from pipeline.errors import SourceError
from pipeline.geometry.grid import Grid
from pipeline.sources import raster
from pipeline.sources.band_files.bands_source import Band, BandsSource
from pipeline.sources.band_files.calibration import Radiometry
from pipeline.sources.band_files.files import BandFile, files_of, is_template, quality_file
from pipeline.sources.band_files.landsat import landsat_product
from pipeline.sources.band_files.product import Product
from pipeline.sources.band_files.quality import Footprint, Quality, rule_of
from pipeline.sources.band_files.sentinel2 import sentinel2_product
from pipeline.sources.band_files.target import axes_of, common_grid
from pipeline.sources.band_files.tree import tree_of
from pipeline.sources.gdal.options import mask_urls
from pipeline.sources.raster import RasterSource


def open_source(config: SourceConfig, timeout: float | None = None) -> BandsSource:
    """Open the files of a scene and lay them on one grid.

    Parameters
    ----------
    config
        Which files, which bands, and the grid's resolution.
    timeout
        ``execution.read_timeout``, s, for what comes over the net.

    Raises
    ------
    SourceError
        A band is missing or unreadable, or lies on a grid that is not parallel to that of the others.
    """
    product = product_of(config)
    files = files_of(config) if product is None else product.chosen(config.bands)
    radiometry = _radiometry(config, product, files)
    sources = [_open_file(file, config, timeout) for file in files]
    grid = common_grid([source.grid for source in sources], config.resolution)
    parts = []
    for file, source in zip(files, sources, strict=True):
        rows, cols = axes_of(file.name, source.grid, grid)
        parts.append(
            Band(
                name=file.name,
                source=source,
                rows=rows,
                cols=cols,
                aligned=rows.same(grid.height) and cols.same(grid.width),
                method=config.resampling,
                common_name=file.common_name or file.name.lower(),
                calibration=file.calibration,
            )
        )
    return BandsSource(
        path=config.place,
        parts=tuple(parts),
        grid=grid,
        rule=config.nodata_rule,
        qualities=tuple(_qualities(config, product, timeout, parts, grid)),
        radiometry=radiometry,
        product=product,
        warning=_offset_warning(config, product, files),
    )


def _qualities(
    config: SourceConfig, product: Product | None, timeout: float | None, parts: list[Band], grid: Grid
) -> Iterator[Quality]:
    """The bands of ``source.valid``, laid on the scene and on the grids of bands that are resampled."""
    resampled = {(band.rows, band.cols): band.source.grid for band in parts if not band.aligned}
    for name, entry in (config.valid or {}).items():
        file = quality_file(config, name) if product is None else product.chosen([name])[0]
        allowed, forbidden = (None, entry.forbidden) if isinstance(entry, NotConfig) else (entry, [])
        rule = rule_of(name, allowed, forbidden)
        source = _open_file(file, config.model_copy(update={"scale_tags": False, "nodata": "auto"}), timeout)
        if source.dtype.kind not in "iu":
            raise SourceError(
                f"source.valid names the band {name} of {source.dtype}, but values and flags are integers. Name a band "
                f"of classes or flags."
            )
        rows, cols = axes_of(name, source.grid, grid)
        footprints = []
        for (coarse_rows, coarse_cols), coarse in resampled.items():
            down, across = axes_of(name, source.grid, coarse)
            footprints.append(
                Footprint(
                    rows=coarse_rows,
                    cols=coarse_cols,
                    method=config.resampling,
                    quality_rows=down,
                    quality_cols=across,
                )
            )
        yield Quality(name=name, source=source, rule=rule, rows=rows, cols=cols, footprints=tuple(footprints))


def product_of(config: SourceConfig) -> Product | None:
    """The product that a folder or archive holds; None of templates, mappings, and whatever else there is."""
    if isinstance(config.path, dict) or is_template(config.file):
        return None
    tree = tree_of(config.file)
    return None if tree is None else sentinel2_product(tree) or landsat_product(tree)


def _radiometry(config: SourceConfig, product: Product | None, files: list[BandFile]) -> Radiometry:
    """What is asked for, where the product's metadata can give it."""
    radiometry = config.radiometry or "raw"
    if radiometry == "raw":
        return radiometry
    if config.scale_tags:
        raise SourceError(
            f"source.radiometry is {radiometry} and source.scale_tags is true, which both scale the numbers. Leave one "
            f"of them out."
        )
    without_gain = [file.name for file in files if file.nodata is not None and file.calibration is None]
    if product is not None and radiometry == "reflectance" and without_gain:
        raise SourceError(
            f"source.radiometry is reflectance, of which the metadata of {product.title} say nothing for "
            f"{', '.join(without_gain)}. Leave these bands out, or give raw."
        )
    if product is not None and (radiometry == "reflectance" or product.offset_key):
        return radiometry
    if product is not None:
        raise SourceError(
            f"source.radiometry is harmonised, but {product.title} has no offset of integers to take in. Give "
            f"reflectance or raw."
        )
    raise SourceError(
        f"source.radiometry is {radiometry}, but source.path is {mask_urls(config.place)}, which is no product with "
        f"metadata of its offsets. Give the folder or archive of a product, or leave source.radiometry out."
    )


def _offset_warning(config: SourceConfig, product: Product | None, files: list[BandFile]) -> str:
    """A sentence where numbers have an offset and the config does not say what is to be done with it."""
    offsets = sorted({file.calibration.offset for file in files if file.calibration} - {0})
    if config.radiometry is not None or product is None or not offsets:
        return ""
    return (
        f"warning: its metadata say {product.offset_key} {' and '.join(map(str, offsets))}, and raw numbers are read "
        f"without it; source.radiometry takes harmonised, which adds it, reflectance, which also divides, or raw"
    )


def _open_file(file: BandFile, config: SourceConfig, timeout: float | None) -> RasterSource:
    """One band as its file has it, without what a picture would show."""
    settings = config.model_dump(include={"nodata", "nodata_rule", "scale_tags"})
    if config.nodata == "auto" and file.nodata is not None:
        settings["nodata"] = file.nodata
    source = raster.open_source(SourceConfig(path=file.path, bands=[1], **settings), timeout)
    if source.bands_in_file > 1:
        raise SourceError(
            f"{mask_urls(file.path)} has {source.bands_in_file} bands, and kind: bands reads files of one band each. "
            f"vrt://FILE?bands=2 in a mapping names one of several."
        )
    return source
