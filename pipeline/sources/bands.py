"""``kind: bands``: a scene as a file per band, at one resolution or several, read as one raster."""

from __future__ import annotations

from pipeline.config import SourceConfig
from pipeline.errors import SourceError
from pipeline.sources import raster
from pipeline.sources.band_files.bands_source import Band, BandsSource
from pipeline.sources.band_files.files import BandFile, files_of
from pipeline.sources.band_files.target import axes_of, target_grid
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
    files = files_of(config)
    sources = [_open_file(file, config, timeout) for file in files]
    grid = target_grid([source.grid for source in sources], config.resolution)
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
            )
        )
    return BandsSource(path=config.place, parts=tuple(parts), grid=grid, rule=config.nodata_rule)


def _open_file(file: BandFile, config: SourceConfig, timeout: float | None) -> RasterSource:
    """One band as its file has it, without what a picture would show."""
    settings = config.model_dump(include={"nodata", "nodata_rule", "scale_tags"})
    source = raster.open_source(SourceConfig(path=file.path, bands=[1], **settings), timeout)
    if source.bands_in_file > 1:
        raise SourceError(
            f"{mask_urls(file.path)} has {source.bands_in_file} bands, and kind: bands reads files of one band each. "
            f"vrt://FILE?bands=2 in a mapping names one of several."
        )
    return source
