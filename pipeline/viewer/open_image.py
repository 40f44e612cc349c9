"""Which image a page may show: the source of a stranger's store is opened only where the user asks for it."""

from __future__ import annotations

from pydantic import ValidationError

from pipeline.config import SourceConfig
from pipeline.errors import PipelineError
from pipeline.interfaces import Source
from pipeline.redact import redacted
from pipeline.sources import open_source
from pipeline.sources.raster import RasterSource
from pipeline.store.made_here import is_made_here
from pipeline.viewer.image import Image, ImageReader
from pipeline.viewer.raster_image import RasterImage
from pipeline.viewer.scene import Scene
from pipeline.viewer.source_image import SourceImage

READ_TIMEOUT_S = 60.0
"""Of a source that does not answer."""


def open_image(scene: Scene, allow_source: bool) -> Image:
    """The image of a scene.

    Parameters
    ----------
    scene
        Of a store.
    allow_source
        Open the raster that the store names, wherever the store was made.
    """
    config = scene.meta["config"].get("source", {})
    if not allow_source and not is_made_here(scene.meta):
        name = redacted(str(config.get("path", "")))
        return Image(
            [], why=f"The source is not opened, since this store was made elsewhere. To open {name}, use --source."
        )
    try:
        source = open_source(SourceConfig(**config), READ_TIMEOUT_S)
    except (PipelineError, ValidationError, TypeError) as error:
        return Image([], why=f"The source cannot be opened: {error}")
    if (source.grid.height, source.grid.width) != (scene.grid.height, scene.grid.width):
        return Image([], why="The source has another size than the store, so that it is not shown.")
    return Image([_reader(source)], exact=True)


def _reader(source: Source) -> ImageReader:
    return RasterImage(source) if isinstance(source, RasterSource) else SourceImage(source)
