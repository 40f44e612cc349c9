"""What ``model.input`` makes of the raster's own numbers."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.inference.recipe import Recipe
from pipeline.inspect.halo.on_raster import NetworkOnRaster
from pipeline.inspect.plausibility import SAMPLE_SIDE, median_warning, trial_image
from pipeline.planning.load_network import LoadedNetwork
from pipeline.sources.band_tags import BandTags


def value_contradictions(loaded: LoadedNetwork, recipe: Recipe, tags: BandTags) -> Iterator[str]:
    """A paragraph where the normalised values lie where no training has them, or where no pixel is valid.

    Raises
    ------
    ReadError
        A window cannot be read.
    InferenceError
        The transform fails on one.
    """
    on_raster = NetworkOnRaster(
        source=loaded.source,
        network=loaded.network,
        locality=loaded.locality,
        normalisation=recipe.normalisation,
        device=loaded.device,
        multiple=loaded.multiple,
        room=max(SAMPLE_SIDE, loaded.locality.minimum),
        area=loaded.area,
    )
    sample = trial_image(on_raster)
    if sample is None:
        yield (
            f"source.nodata is {loaded.config.source.nodata}, and no pixel that was sampled of the raster is valid by "
            f"it. Check source.nodata and source.nodata_rule, or name another raster."
        )
        return
    warning = median_warning(sample, recipe.normalisation, loaded.source.dtype)
    if warning is not None:
        yield f"model.input does not fit the raster's numbers: {warning}.{_scale_tag(loaded, tags)}"


def _scale_tag(loaded: LoadedNetwork, tags: BandTags) -> str:
    """What the file's own scale has to do with it."""
    if not tags.are_scaled:
        return ""
    if loaded.config.source.scale_tags:
        return " The file's own scale and offset are applied before, as source.scale_tags says."
    return f" The file's tags have the scale {tags.scales[0]:g}; source.scale_tags: true applies it."
