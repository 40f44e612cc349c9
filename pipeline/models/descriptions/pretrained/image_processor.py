"""``preprocessor_config.json`` of transformers: how pictures are prepared, in keys of a config."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pipeline.models.descriptions.foreign_entries import EIGHT_BITS

REVERSED = ("blue", "green", "red")
"""Bands that the library gives a network whose pictures it flips."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedImages:
    """Steps before a network."""

    keys: dict[str, Any] = field(default_factory=dict)
    """Of ``model.input``."""
    band_names: tuple[str, ...] = ()
    fault: str | None = None
    """Why the steps cannot be done."""
    hints: tuple[str, ...] = ()


def prepared_images(processor: dict[str, Any] | None, image_size: Any) -> PreparedImages:
    """The steps of a processor.

    Parameters
    ----------
    processor
        The document; None where the folder has none.
    image_size
        Side of the images that the network was built for, px, where its own document states one.
    """
    size = _side(image_size)
    sizes = {} if size is None else {"size": size}
    if processor is None:
        hint = "no preprocessor_config.json is there, so that no normalisation is stated: give model.input"
        return PreparedImages(keys=sizes, hints=(hint,))
    keys, fault = _linear(processor)
    resized = None if processor.get("do_resize") is False else _square(processor.get("size"))
    trained = {} if resized is None else {"size": resized}
    return PreparedImages(
        keys={**keys, **sizes, **trained},
        band_names=REVERSED if processor.get("do_flip_channel_order") else (),
        fault=fault,
        hints=tuple(_hints(processor)),
    )


def _linear(processor: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    """Scale, mean and deviation, and why there are none."""
    keys: dict[str, Any] = {}
    if processor.get("do_rescale", True):
        factor = processor.get("rescale_factor", EIGHT_BITS)
        if not _is_number(factor):
            return {}, f"rescale_factor is {factor!r}, which is no number"
        keys["scale"] = EIGHT_BITS if math.isclose(factor, EIGHT_BITS) else factor
    if not processor.get("do_normalize", "image_mean" in processor):
        return keys, None
    for name, entry in (("mean", "image_mean"), ("std", "image_std")):
        value = processor.get(entry)
        if not _are_numbers(value):
            return {}, f"do_normalize is set, and {entry} is {value!r}, which are no numbers"
        keys[name] = value
    return keys, None


def _hints(processor: dict[str, Any]) -> Iterator[str]:
    """What is told and not done."""
    if processor.get("do_resize"):
        yield (
            f"pictures are resized there (do_resize, size {_text(processor.get('size'))}), and nothing is resized "
            f"here: source.grid or source.mpp gives pixels of the size of the training"
        )
    for key in ("do_center_crop", "do_pad"):
        if processor.get(key):
            yield f"{key} of the library is not done: the whole raster is inferred"
    if processor.get("do_flip_channel_order"):
        yield "the library reverses the bands of its pictures: source.bands lists blue, green and red, in that order"
    if processor.get("do_reduce_labels", processor.get("reduce_labels")):
        yield "labels of the training were counted from 1 (do_reduce_labels): class 0 here is what they call 1"


def _square(size: Any) -> int | None:
    """The side of pictures that are resized to a square, px; None of other forms."""
    if isinstance(size, dict):
        size = size.get("height") if size.get("height") == size.get("width") else None
    return _side(size)


def _side(size: Any) -> int | None:
    return size if isinstance(size, int) and not isinstance(size, bool) and size > 0 else None


def _text(size: Any) -> str:
    return ", ".join(f"{key} {value}" for key, value in size.items()) if isinstance(size, dict) else str(size)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _are_numbers(value: Any) -> bool:
    return _is_number(value) or (isinstance(value, list) and bool(value) and all(map(_is_number, value)))
