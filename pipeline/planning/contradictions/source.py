"""What ``source`` says against the tags and pixels of the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from pipeline.config import SourceConfig
from pipeline.errors import ReadError
from pipeline.inspect.scene_values import lattice
from pipeline.interfaces import Source
from pipeline.redact import redacted
from pipeline.sources.band_tags import BandTags, read_band_tags, stack_of
from pipeline.sources.stacked.inputs_source import InputsSource, with_keys_of_section


def source_contradictions(
    config: SourceConfig, source: Source, inputs: Mapping[str, SourceConfig] | None = None
) -> Iterator[str]:
    """A paragraph each; of a stack, or of several inputs, those of each of its sources.

    Parameters
    ----------
    config
        The section ``source``.
    source
        As it was opened.
    inputs
        The section ``model.inputs``.
    """
    if (stack := stack_of(source)) is not None:
        if isinstance(stack, InputsSource):
            for part, section in zip(stack.parts, stack.sections, strict=True):
                entry = (inputs or {}).get(part.name, config)
                for text in source_contradictions(entry, part.source):
                    yield with_keys_of_section(text, section)
            return
        for entry, part in zip(config.sources, stack.parts, strict=True):
            yield from source_contradictions(entry, part.source)
        return
    tags, file = read_band_tags(source), redacted(config.place)
    impossible = list(_impossible_nodata(config, source, file))
    yield from impossible or _ignored_nodata(config, source, tags, file)
    if config.scale_tags and not tags.are_scaled:
        yield (
            f"source.scale_tags is true, but {file} has no scale and no offset in its tags, so that raw numbers are "
            f"read. Leave source.scale_tags out, and set model.input.scale where the network needs one."
        )


def _impossible_nodata(config: SourceConfig, source: Source, file: str) -> Iterator[str]:
    value, dtype = config.nodata, source.dtype
    if isinstance(value, str) or value is None or dtype.kind not in "iu":
        return
    info = np.iinfo(dtype)
    if not float(value).is_integer() or not info.min <= value <= info.max:
        yield (
            f"source.nodata is {value:g}, but {file} holds {dtype}, from {info.min} to {info.max} and whole, so that "
            f"no pixel is nodata by it. Give a number that the file has, auto for its own tag, or null for none."
        )


def _ignored_nodata(config: SourceConfig, source: Source, tags: BandTags, file: str) -> Iterator[str]:
    """The config names another nodata than the file, or none, and pixels hold the file's."""
    values = {value for value in tags.nodata if value is not None}
    if config.nodata == "auto" or not values or values == {config.nodata}:
        return
    tagged = sorted(values)[0]
    count = _valid_pixels_of(source, tagged)
    if count:
        setting = "null" if config.nodata is None else f"{config.nodata:g}"
        yield (
            f"source.nodata is {setting}, but {file} has the nodata {tagged:g} in its tags, and {count:,} sampled "
            f"pixels hold it in all bands, which the network would see as data. Set source.nodata: auto, or mend the "
            f"file's tag where it is wrong."
        )


def _valid_pixels_of(source: Source, value: float) -> int:
    """Sampled pixels that are read as valid and hold a number in all bands; 0 where a window cannot be read."""
    count = 0
    for window in lattice(source.grid.height, source.grid.width):
        try:
            pixels = source.read(window)
        except ReadError:  # the check of values says so
            return count
        count += int(((pixels.data == value).all(0) & pixels.valid).sum())
    return count
