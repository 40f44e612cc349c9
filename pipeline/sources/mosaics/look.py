"""What pieces say of themselves, by opening each once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from rasterio.io import DatasetReader

from pipeline.errors import SourceError
from pipeline.sources import raster
from pipeline.sources.gdal.options import Settings, gdal_env, is_remote
from pipeline.sources.mosaics.piece import Piece, PieceFacts, handle_bytes, open_by_kind
from pipeline.sources.raster import RasterSource

REMOTE_THREADS = 16
"""Pieces of a server that are asked at once."""
# thousands of files may lie in a piece's folder, and GDAL would list them for each; it asks for sidecars by name so
WITHOUT_LISTING: Settings = (("GDAL_DISABLE_READDIR_ON_OPEN", "TRUE"),)


def read_facts(pieces: Sequence[Piece], timeout: float | None) -> list[PieceFacts | SourceError]:
    """What each piece says of itself, or why it cannot be opened, in their order."""
    if not any(is_remote(path) for piece in pieces for path in paths_of(piece)):
        with gdal_env(WITHOUT_LISTING):
            return [_look(piece, timeout) for piece in pieces]
    with ThreadPoolExecutor(REMOTE_THREADS, thread_name_prefix="pieces") as pool:
        return list(pool.map(lambda piece: _look(piece, timeout), pieces))


def paths_of(piece: Piece) -> list[str]:
    """Paths that a piece is opened by."""
    return [piece.path] if isinstance(piece.path, str) else list(piece.path.values())


def _look(piece: Piece, timeout: float | None) -> PieceFacts | SourceError:
    try:
        if piece.opener is not open_by_kind or piece.settings.kind != "raster":
            return PieceFacts.of(piece.open(timeout))
        with raster.open_with_handle(piece.config, timeout) as handles:
            return _facts(*handles)
    except SourceError as error:
        return error


def _facts(source: RasterSource, dataset: DatasetReader) -> PieceFacts:
    dtype = source.dtype_of(dataset)
    rows, cols = dataset.block_shapes[source.indexes[0] - 1]
    return PieceFacts(
        grid=source.grid,
        bands=source.bands,
        dtype=str(dtype),
        block=(rows, cols),
        rgb=source.rgb,
        notes=source.notes,
        news=source.news,
        files=tuple(dataset.files),
        date=dataset.tags().get("TIFFTAG_DATETIME", ""),
        open_bytes=source.open_files + handle_bytes((rows, cols), source.bands, dtype.itemsize),
    )
