"""Which picture of its source a store keeps."""

from __future__ import annotations

from typing import Any

from pipeline.config import OutputConfig
from pipeline.errors import ConfigError
from pipeline.interfaces import Source
from pipeline.store.picture import stored_picture
from pipeline.store.picture_spec import PictureSpec, picture_chunk, picture_scale


def choose_picture(
    output: OutputConfig, source: Source, block: int, existing: dict[str, Any] | None
) -> PictureSpec | None:
    """The picture of a store that is there, or of one that will be.

    Parameters
    ----------
    output
        The section of the config.
    source
        What is read.
    block
        Side of a block, px.
    existing
        What the root of the store says, where it is there: it keeps the picture that it has, or none.

    Returns
    -------
    PictureSpec or None
        None where none is wanted, or where the raster has too many blocks for one.

    Raises
    ------
    ConfigError
        A band is named that is not read.
    """
    if existing is not None:
        return stored_picture(output.path, existing)
    scale = picture_scale(source.grid.height, source.grid.width, block)
    if output.picture is False or scale is None:
        return None
    dtype = source.dtype if source.dtype.kind in "iu" and source.dtype.itemsize <= 2 else "float32"
    chunk = picture_chunk(block, scale)
    is_aligned = block % (chunk * scale) == 0 or block >= max(source.grid.height, source.grid.width)
    assert is_aligned, "a chunk of the picture would hold pixels of two blocks"
    return PictureSpec(bands=_bands(output, source), scale=scale, dtype=str(dtype), chunk=chunk)


def _bands(output: OutputConfig, source: Source) -> tuple[int, ...]:
    """Those that are named; else red, green and blue as the file says; else the first three, or the first."""
    if not isinstance(output.picture, list):
        return source.rgb or (tuple(range(3)) if source.bands > 2 else (0,))
    missing = [band for band in output.picture if band > source.bands]
    if missing:
        raise ConfigError(
            f"output.picture names band {missing[0]}, but {source.bands} bands are read. Name bands from 1 to "
            f"{source.bands}, or set true."
        )
    return tuple(band - 1 for band in output.picture)
