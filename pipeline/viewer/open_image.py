"""Which image a page may show: the source of a stranger's store is opened only where the user asks for it."""

from __future__ import annotations

from pydantic import ValidationError

from pipeline.config import SourceConfig
from pipeline.errors import PipelineError
from pipeline.interfaces import Source
from pipeline.privacy.stand_in import stand_ins_in
from pipeline.redact import redacted
from pipeline.sources import open_source
from pipeline.sources.raster import RasterSource
from pipeline.sources.wrappers.read_timeout import TimeoutSource
from pipeline.store.foreign_arrays import open_array
from pipeline.store.lifecycle import main_layer_of
from pipeline.store.made_here import is_made_here
from pipeline.store.picture import open_picture
from pipeline.store.picture_spec import picture_layer, shows_colours
from pipeline.viewer.image import Image, ImageReader
from pipeline.viewer.picture_image import PictureImage
from pipeline.viewer.raster_image import RasterImage
from pipeline.viewer.scene import StoreScene
from pipeline.viewer.source_image import SourceImage

READ_TIMEOUT_S = 60.0
"""Of a source that does not answer."""


def open_image(scene: StoreScene, allow_source: bool) -> Image:
    """The image of a scene.

    Parameters
    ----------
    scene
        Of a store.
    allow_source
        Open the raster that the store names, wherever the store was made.
    """
    source, why = _source(scene, allow_source)
    picture = _picture(scene, beside_source=source is not None)
    readers = [*([] if source is None else [_reader(source)]), *([] if picture is None else [picture])]
    return Image(readers, exact=source is not None, why=why, as_seen=_is_as_seen(source, picture))


def _source(scene: StoreScene, allow_source: bool) -> tuple[Source | None, str]:
    """The source, or None and why it is not opened."""
    config = scene.meta["config"].get("source", {})
    if stand_ins_in(config):
        return None, "The source is not opened, since the store does not say where it lies (output.redact)."
    if not allow_source and not is_made_here(scene.meta):
        name = redacted(str(config.get("path", "")))
        return None, f"The source is not opened, since this store was made elsewhere. To open {name}, use --source."
    try:
        source = open_source(SourceConfig(**config), READ_TIMEOUT_S)
    except (PipelineError, ValidationError, TypeError) as error:
        return None, f"The source cannot be opened: {error}"
    if (source.grid.height, source.grid.width) != (scene.grid.height, scene.grid.width):
        return None, "The source has another size than the store, so that it is not shown."
    return source, ""


def _picture(scene: StoreScene, beside_source: bool) -> PictureImage | None:
    picture = open_picture(scene.path)
    if picture is None:
        return None
    open_array(scene.path, f"0/{picture_layer(main_layer_of(scene.path))}")  # raises where it is not harmless to read
    return PictureImage(picture, scene, beside_source)


def _is_as_seen(source: Source | None, picture: PictureImage | None) -> bool:
    if source is None:
        return picture is not None and picture.picture.as_seen
    return shows_colours(source.grid.unit, str(source.dtype), source.bands)


def _reader(source: Source) -> ImageReader:
    raster = source.source if isinstance(source, TimeoutSource) else source
    return RasterImage(raster) if isinstance(raster, RasterSource) else SourceImage(source)
