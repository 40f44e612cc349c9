"""``kind: raster`` where ``select`` or ``axes`` choose among the pages, channels and planes of a TIFF.

One page is read by GDAL, as any raster is. Channels, planes and what several become are read by tifffile, which knows
their order; where they lie is what GDAL says of the file.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import rasterio
from rasterio.enums import MaskFlags
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from pipeline.config import SourceConfig
from pipeline.config.paths import is_gdal_name
from pipeline.errors import SourceError
from pipeline.geometry.grid import IDENTITY, Grid
from pipeline.interfaces import Source
from pipeline.sources import raster, slide
from pipeline.sources.gdal.contents import left_out
from pipeline.sources.gdal.georeference import Georeference, georeference_of
from pipeline.sources.gdal.opening import open_dataset, without_sample
from pipeline.sources.gdal.options import gdal_env, gdal_options, is_remote, mask_urls
from pipeline.sources.gdal.pixel_size import given_size
from pipeline.sources.raster import RasterSource
from pipeline.sources.slide_files.chosen_planes import ChosenPlanes
from pipeline.sources.slide_files.opening import open_planes
from pipeline.sources.slide_files.plane_choice import PlaneChoice
from pipeline.sources.slide_files.pyramid import levels_by_size
from pipeline.sources.slide_files.sampling import stored_pixels
from pipeline.sources.slide_files.slide_source import SlideSource
from pipeline.sources.slide_files.tiff_axes import PAGE_KEY


def open_source(config: SourceConfig, timeout: float | None = None) -> Source:
    """Open a raster, or the planes of it that are chosen.

    Parameters
    ----------
    config
        Which raster, and how it is read.
    timeout
        ``execution.read_timeout``, s, for what comes over the net.

    Raises
    ------
    SourceError
        As `raster.open_source`; or there is no such page or plane.
    ExtraError
        The library of the extra ``slides`` that decodes it is missing.
    """
    if config.select is None and config.axes is None:
        return raster.open_source(config, timeout)
    path = without_sample(config.file)
    _check_path(path)
    page = _one_page(config)
    if page is not None:
        with gdal_env(gdal_options(path, [], timeout)), open_dataset(path) as dataset:
            pages = _pages(dataset, path)
            # a stack of ImageJ beyond 4 GiB has planes without pages, which GDAL does not see
            if is_remote(path) or (page < pages and not (pages == 1 and left_out(dataset))):
                return _page(config, timeout, dataset, page, pages)
    return _planes(config, path)


def _check_path(path: str) -> None:
    """Raise SourceError where a path names a page already."""
    if is_gdal_name(path):
        raise SourceError(
            f"source.select and source.axes choose among the planes of a TIFF, but source.path is {mask_urls(path)}, "
            f"which names a part of a file already. Give the file alone, or leave both out."
        )


def _one_page(config: SourceConfig) -> int | None:
    """The page that is all that a config selects; None where it selects otherwise."""
    page = (config.select or {}).get(PAGE_KEY)
    is_alone = config.axes is None and len(config.select or {}) == 1
    return page if is_alone and isinstance(page, int) and page >= 0 else None


def _pages(dataset: DatasetReader, path: str) -> int:
    """How many pages GDAL sees. Raises SourceError where a raster is no TIFF."""
    if dataset.driver != "GTiff":
        raise SourceError(
            f"source.select chooses among the pages of a TIFF, but {mask_urls(path)} is of the form {dataset.driver}. "
            f"Leave source.select out, or read a file of arrays with kind: zarr."
        )
    return max(len(dataset.subdatasets), 1)


def _page(config: SourceConfig, timeout: float | None, dataset: DatasetReader, page: int, pages: int) -> RasterSource:
    """A page as GDAL reads it; the first page says how large a pixel is of all that are of its size."""
    path = without_sample(config.file)
    if page >= pages:
        raise SourceError(
            f"source.select is {{page: {page}}}, but {mask_urls(path)} has {pages}. The first is page 0; give one of 0 "
            f"to {pages - 1}."
        )
    # the first page is the file, with its masks; names of the others pass over overviews and masks
    name = dataset.subdatasets[page] if page else path
    source = raster.open_source(config.model_copy(update={"path": name, "select": None}), timeout)
    note = f"its page is {page} of 0 to {pages - 1}"
    if page == 0:
        others = left_out(dataset) if pages > 1 else []
        return replace(source, notes=(note, *(text for text in source.notes if text not in others)), name=uuid4().hex)
    if config.nodata is not None and has_mask(dataset):
        note += "; the mask is that of the first page, and hides nothing of this one"
    own, first = (georeference_of(each, path, given_size(config.pixel_size)) for each in (source.dataset, dataset))
    if not _holds_for(first.grid, own.grid):
        return replace(source, notes=(note, *source.notes), name=uuid4().hex)
    rest = [text for text in source.notes if text not in own.notes]
    lies = ("it lies where the first page does",) if first.grid.unit == "crs" else first.notes
    return replace(source, grid=first.grid, notes=(note, *lies, *rest), name=uuid4().hex)


def has_mask(dataset: DatasetReader) -> bool:
    """Whether a raster has a mask in its file or beside it."""
    flags = dataset.mask_flag_enums[0]
    return MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags


def _holds_for(first: Grid, page: Grid) -> bool:
    """Whether the place of the first page holds for another of its size, which has no CRS or transform of its own."""
    lies_nowhere = page.unit == "px" and page.transform == IDENTITY
    is_tagged = page.unit == "um" and first.unit == "um"  # OME-XML and ImageJ's text stand in the first page alone
    return (first.height, first.width) == (page.height, page.width) and (lies_nowhere or is_tagged)


def _planes(config: SourceConfig, path: str) -> SlideSource:
    """Planes as tifffile reads them."""
    _check_file(path)
    if config.scale_tags:
        raise SourceError(
            "source.scale_tags is true, but scale and offset are those of pages as GDAL reads them. Leave "
            "source.scale_tags out, or select one page, such as source.select: {page: 0}."
        )
    choice = PlaneChoice.of(config)
    file = open_planes(path, choice)
    try:
        return _opened(config, path, choice, file)
    finally:
        file.close()


def _check_file(path: str) -> None:
    """Raise SourceError where there is no file on a disk."""
    if is_remote(path) or path.startswith("/vsi"):
        raise SourceError(
            f"source.path is {mask_urls(path)}, and planes are chosen in files on a disk, but for one page alone, such "
            f"as source.select: {{page: 1}}. Copy the file to a disk, or select a page."
        )
    if not Path(path).is_file():
        problem = "is a folder" if Path(path).is_dir() else "does not exist"
        raise SourceError(f"source.path is {path}, which {problem}. Give a TIFF, among whose planes to choose.")


def _opened(config: SourceConfig, path: str, choice: PlaneChoice, file: ChosenPlanes) -> SlideSource:
    level = levels_by_size(file)[0]
    sampling = stored_pixels(level)
    channels = slide.chosen_channels(config, file)
    place = None if file.axes.image else _place(config, path, level.shape)
    size, size_notes = (None, []) if place else slide.size_of(config, file)
    return SlideSource(
        path=path,
        level=level,
        grid=place.grid if place else sampling.grid(size),
        step=sampling.step,
        corner=sampling.corner,
        method=config.resampling,
        channels=channels,
        dtype=file.dtype,
        nodata=config.nodata,
        rule=config.nodata_rule,
        choice=choice,
        is_slide=False,
        rgb=tuple(channels.index(k) for k in range(3)) if file.rgb and {0, 1, 2} <= set(channels) else (),
        notes=(*file.notes, *(place.notes if place else size_notes)),
    )


def _place(config: SourceConfig, path: str, shape: tuple[int, int]) -> Georeference | None:
    """Where the first page lies by GDAL; None where GDAL cannot open it, or where it is of another size."""
    try:
        dataset = rasterio.open(path)
    except RasterioError:
        return None
    with dataset:
        if config.nodata is not None and has_mask(dataset):
            raise SourceError(
                f"source.select chooses among the planes of {path}, which has a mask, and a mask hides pixels of one "
                f"page alone. Select the first page, with source.select: {{page: 0}}, or give source.nodata: null, by "
                f"which nothing is hidden."
            )
        if dataset.shape != shape:
            return None
        return georeference_of(dataset, path, given_size(config.pixel_size))
