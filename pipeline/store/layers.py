"""What a layer is in a store: its array, what that says of itself, how overviews reduce it.

One layer, one row of `LAYERS`.

How a layer is made of a tile's logits is one function and its row in `pipeline.inference.layers`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import nan
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.store.downsample import PixelArray, any_2x2, mean_2x2, mode_2x2
from pipeline.store.values import ValuesSpec

Attributes = dict[str, Any]

ENTROPY_ONE = 254
"""What stands for an entropy of 1; 255 is nodata, for 0 would be certainty where nothing is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSpec:
    """What a layer is on disk."""

    name: str
    dtype: str
    fill: float
    """What is not written, and invalid pixels."""
    planes: int | None = None
    """Length of its axis of classes or channels, or None where it has none."""
    axis: str = "class"
    """Name of that axis: class or channel."""
    values: ValuesSpec | None = None
    """What the numbers of a network are stored as; None for every other layer."""

    def shape(self, height: int, width: int) -> tuple[int, ...]:
        """([classes or channels,] rows, cols) of so many px."""
        return (height, width) if self.planes is None else (self.planes, height, width)

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Names of its axes."""
        return ("y", "x") if self.planes is None else (self.axis, "y", "x")

    @property
    def bytes_per_pixel(self) -> int:
        """Of all classes or channels."""
        return np.dtype(self.dtype).itemsize * (self.planes or 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayOptions:
    """What a job decides of the arrays of its layers."""

    dtype: str
    """Of the mask."""
    nodata: int
    """Of the mask."""
    probabilities: str
    """Dtype of the probabilities, uint8 or float16."""
    values: ValuesSpec = field(default_factory=ValuesSpec)
    """What the numbers of the network are stored as."""
    ids: str = "uint32"
    """Dtype of the ids of objects, uint32 or uint64."""


def _mode(values: PixelArray, valid: npt.NDArray[np.bool_], fill: float) -> PixelArray:
    return mode_2x2(values, int(fill))


def _mask(of: LayerSpec, classes: Attributes) -> Attributes:
    """Nodata and the class table, never ``_FillValue``, which would turn the mask into floats."""
    # COLOR_INTERPRETATION is GDAL's word for codes that are not grey values
    return {"long_name": "class", "nodata": of.fill, **classes, "COLOR_INTERPRETATION": "Palette"}


def _confidence(of: LayerSpec, classes: Attributes) -> Attributes:
    return {"long_name": "probability of the chosen class, 255 = 1", "scale": 1 / 255}


def _probabilities(of: LayerSpec, classes: Attributes) -> Attributes:
    """Bytes without ``scale_factor``, by which xarray would make floats of them, four times as large."""
    if of.dtype == "uint8":
        return {"long_name": "probability of each class, 255 = 1", "scale": 1 / 255}
    return {"long_name": "probability of each class", "units": "1", "valid_range": [0.0, 1.0]}


def _entropy(of: LayerSpec, classes: Attributes) -> Attributes:
    """Its nodata is an attribute as that of the mask is."""
    long_name = f"entropy of the classes' probabilities, {ENTROPY_ONE} = 1 = all alike"
    return {"long_name": long_name, "scale": 1 / ENTROPY_ONE, "nodata": of.fill, "valid_range": [0, ENTROPY_ONE]}


def _values(of: LayerSpec, classes: Attributes) -> Attributes:
    """Names of the channels; scale and offset under names that no reader of CF applies: it takes one for all."""
    assert of.values is not None
    attributes: Attributes = {"long_name": "numbers that the network returns", "channels": list(of.values.channels)}
    if of.values.nodata is None:
        return attributes
    factors = {"scale": list(of.values.scale), "offset": list(of.values.offset)}
    return {**attributes, **factors, "nodata": of.values.nodata}


def _variance(of: LayerSpec, classes: Attributes) -> Attributes:
    subject = "the probability of the chosen class" if of.planes is None else "each number"
    return {"long_name": f"variance of {subject} between the networks of an ensemble", "units": "1"}


def _instances(of: LayerSpec, classes: Attributes) -> Attributes:
    return {"long_name": "id of the object, 1 + the row-major index of its first pixel", "nodata": of.fill}


def _mean_of_values(values: PixelArray, valid: npt.NDArray[np.bool_], fill: float) -> PixelArray:
    """A mean of integers that would be nodata, between a number below and one above it, goes one step further."""
    mean = mean_2x2(values, valid, fill)
    if values.dtype.kind == "f":
        return mean
    beside_nodata = ValuesSpec(dtype=values.dtype.name, nodata=int(fill)).beside_nodata
    return np.where((mean == fill) & any_2x2(valid), values.dtype.type(beside_nodata), mean)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Everything that a store knows of a layer."""

    dtype: Callable[[ArrayOptions], str]
    fill: Callable[[ArrayOptions], float]
    """What is not written, and invalid pixels."""
    attributes: Callable[[LayerSpec, Attributes], Attributes]
    """What its array says of itself, given what it is and the attributes of the class table."""
    axis: str | None = None
    """Name of its axis of classes or channels, class or channel; None where it has none."""
    axis_without_classes: str | None = None
    """The same in a store without classes, where that is another."""
    reduce: Callable[[PixelArray, npt.NDArray[np.bool_], float], PixelArray] = mean_2x2
    """2×2 pixels to one, given its pixels, which of them are valid, and its fill value."""
    validity_rank: int | None = None
    """Place among the layers by which a pixel without an answer is told from one with a doubtful answer, the plainest
    first; None for none of them."""


LAYERS: dict[str, Layer] = {
    "mask": Layer(
        dtype=lambda options: options.dtype, fill=lambda options: options.nodata, attributes=_mask, reduce=_mode
    ),
    "confidence": Layer(dtype=lambda _: "uint8", fill=lambda _: 0, attributes=_confidence, validity_rank=2),
    "probabilities": Layer(
        dtype=lambda options: options.probabilities,
        fill=lambda options: nan if options.probabilities == "float16" else 0,
        attributes=_probabilities,
        axis="class",
        validity_rank=3,
    ),
    "entropy": Layer(dtype=lambda _: "uint8", fill=lambda _: 255, attributes=_entropy, validity_rank=1),
    "values": Layer(
        dtype=lambda options: options.values.dtype,
        fill=lambda options: options.values.fill,
        attributes=_values,
        axis="channel",
        reduce=_mean_of_values,
        validity_rank=0,
    ),
    "variance": Layer(
        dtype=lambda _: "float32",
        fill=lambda _: nan,
        attributes=_variance,
        axis_without_classes="channel",
        validity_rank=1,
    ),
}
"""Every layer that a network may give, by its name in ``output.layers``."""

DERIVED_LAYERS: dict[str, Layer] = {
    "cleaned": LAYERS["mask"],
    "instances": Layer(dtype=lambda options: options.ids, fill=lambda _: 0, attributes=_instances, reduce=_mode),
}
"""Layers that are made of others once all blocks are committed; each has commit records of its own."""

LABEL_LAYERS = {"instances": "labels/instances"}
"""Layers that are label images of OME-Zarr, with their groups: a level of one is an array of its group."""

CLASS_LAYERS = ("mask", "cleaned")
"""Layers of class codes, which have a palette."""


def array_key(level: int, layer: str) -> str:
    """Where the array of a layer lies below its store: ``0/mask``, or ``labels/instances/0``."""
    return f"{LABEL_LAYERS[layer]}/{level}" if layer in LABEL_LAYERS else f"{level}/{layer}"


def layer_kind(name: str) -> Layer:
    """What a store knows of a layer by its name."""
    return LAYERS[name] if name in LAYERS else DERIVED_LAYERS[name]


def layer_spec(
    name: str,
    *,
    dtype: str,
    nodata: int,
    probabilities: str,
    planes: int,
    values: ValuesSpec | None = None,
    ids: str = "uint32",
) -> LayerSpec:
    """What a layer is in a store.

    Parameters
    ----------
    name
        Of the layer.
    dtype, nodata, probabilities
        As in `ArrayOptions`.
    planes
        Classes that have a probability.
    values
        As in `ArrayOptions`; its channels are those of the layer of that name.
    ids
        As in `ArrayOptions`.
    """
    layer, values = layer_kind(name), values or ValuesSpec()
    options = ArrayOptions(dtype=dtype, nodata=nodata, probabilities=probabilities, values=values, ids=ids)
    axis = layer.axis if planes or layer.axis_without_classes is None else layer.axis_without_classes
    return LayerSpec(
        name=name,
        dtype=layer.dtype(options),
        fill=layer.fill(options),
        planes=None if axis is None else len(values.channels) if axis == "channel" else planes,
        axis=axis or "class",
        values=values if layer.axis == "channel" else None,
    )


def leading_layer(names: Iterable[str]) -> str:
    """The layer of a store that all others follow: the mask where there is one, else the values.

    Commit records lie below it, overviews take validity from it, and pictures show it.
    """
    layers = tuple(names)
    leading = next((name for name in ("mask", "values") if name in layers), None)
    return leading or next((name for name in layers if name in DERIVED_LAYERS), "mask")


def validity_layer(names: Iterable[str]) -> str | None:
    """The layer of a store that tells a pixel without an answer the most plainly; None where no layer does."""
    ranks = {name: rank for name in names if (rank := layer_kind(name).validity_rank) is not None}
    return min(ranks, key=ranks.__getitem__, default=None)
