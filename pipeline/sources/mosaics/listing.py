"""Which files a mosaic is made of: a list, a glob, or a folder."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from pipeline.config import SourceConfig
from pipeline.errors import SourceError
from pipeline.redact import mask_urls, redacted
from pipeline.sources.gdal.options import is_remote
from pipeline.sources.mosaics.dates import DATE, DATE_FORMS, parse_date
from pipeline.sources.mosaics.piece import Piece

RASTER_ENDINGS = (
    ".tif",
    ".tiff",
    ".vrt",
    ".jp2",
    ".img",
    ".png",
    ".jpg",
    ".jpeg",
    ".nc",
    ".asc",
    ".bil",
    ".dem",
    ".ecw",
    ".hgt",
    ".ntf",
    ".sid",
    ".webp",
)
"""Of files in a folder that are pieces."""
SIDECARS = (".aux.xml", ".ovr", ".msk", ".tfw", ".wld", ".prj")
"""Of files that belong to a piece and are none."""
DATE_FIELD = "{date}"
_GLOB = re.compile(r"\*\*/|\*|\?|\[[^\]]+\]|" + re.escape(DATE_FIELD))
_AS_REGEX = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]", DATE_FIELD: f"(?P<date>{DATE})"}


def listed_pieces(config: SourceConfig) -> list[Piece]:
    """The pieces that ``source.path`` names: in the order of a list, else by name.

    Raises
    ------
    SourceError
        It names none, or something that cannot be listed.
    """
    settings = config.model_copy(update={"kind": "raster", "path": "", "grid": None, "aoi": None})
    pieces = [Piece(name=redacted(path), path=path, settings=settings, date=date) for path, date in _paths(config.path)]
    if not pieces:
        raise SourceError(
            f"source.path is {mask_urls(config.place)}, in which there is no raster. Give a list of files, a glob such "
            f"as tiles/*.tif, or a folder with rasters in it."
        )
    return pieces


def _paths(path: object) -> Iterator[tuple[str, datetime | None]]:
    """Path and date of each piece, where the path names the date."""
    if isinstance(path, list):
        if not all(isinstance(name, str) for name in path):
            raise SourceError("source.path lists sources that are no files. With kind: mosaic each is a path or a URL.")
        yield from ((str(name), None) for name in path)
        return
    assert isinstance(path, str)
    if Path(path).is_dir():
        yield from ((name, None) for name in rasters_in(path))
    elif os.path.lexists(path) or not is_pattern(path):
        yield path, None
    elif is_remote(path) or path.startswith("/vsi"):
        raise SourceError(
            f"source.path is {mask_urls(path)}, and files of a server are not listed. Give the list of them as path."
        )
    else:
        yield from _matching(path)


def is_pattern(path: str) -> bool:
    """Whether a path stands for several files."""
    return glob.has_magic(path) or DATE_FIELD in path


def rasters_in(folder: str) -> list[str]:
    """Paths of the rasters that lie in a folder itself, by their endings, sorted.

    What an earlier run left there, the exports of a store beside them, is none.
    """
    names = sorted(entry.name for entry in os.scandir(folder))
    stores = tuple(f"{Path(name).stem}." for name in names if name.endswith(".zarr"))
    return [
        os.path.join(folder, name)
        for name in names
        if name.lower().endswith(RASTER_ENDINGS)
        and not (stores and name.startswith(stores))
        and not name.startswith(".")
    ]


def _matching(pattern: str) -> Iterator[tuple[str, datetime | None]]:
    """Files of a glob, each with what stands for ``{date}`` in its name."""
    regex = re.compile(_regex(pattern))
    for name in sorted(glob.glob(pattern.replace(DATE_FIELD, "*"), recursive=True)):
        match = regex.fullmatch(name)
        if match is None or name.lower().endswith(SIDECARS) or Path(name).is_dir():
            continue
        text = match.groupdict().get("date")
        date = parse_date(text) if text else None
        if text and date is None:
            raise SourceError(
                f"source.path is {pattern}, and {name} has {text} in place of {DATE_FIELD}, which is no date. Dates "
                f"are {DATE_FORMS}."
            )
        yield name, date


def _regex(pattern: str) -> str:
    """A glob as a regular expression; of several places for the date the first counts."""
    parts, end, dated = [], 0, False
    for field in _GLOB.finditer(pattern):
        text = _AS_REGEX.get(field[0], field[0].replace("[!", "[^"))
        parts += [re.escape(pattern[end : field.start()]), DATE if dated and field[0] == DATE_FIELD else text]
        dated, end = dated or field[0] == DATE_FIELD, field.end()
    return "".join((*parts, re.escape(pattern[end:])))
