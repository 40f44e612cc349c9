"""Which tensors of a description are the image and its scores, and whether their axes are those of an image."""

from __future__ import annotations

from pipeline.errors import ModelError
from pipeline.models.descriptions.axes import NETWORK_AXES, SEVERAL_INPUTS_ADVICE, axes_fault
from pipeline.models.descriptions.bioimage.description import DescribedTensor, ModelDescription


def image_input(description: ModelDescription) -> DescribedTensor:
    """The one image that the network takes; raises ModelError where it takes several, or something else."""
    name, required = description.package.name, [tensor for tensor in description.inputs if not tensor.optional]
    if len(required) != 1:
        inputs = ", ".join(tensor.name for tensor in required) or "none that must be there"
        raise ModelError(f"{name} describes a network of {len(required)} inputs ({inputs}), {SEVERAL_INPUTS_ADVICE}")
    image = required[0]
    if image.letters != NETWORK_AXES:
        raise ModelError(f"{name}: the input {image.name} has the axes {image.letters}, {axes_fault(image.letters)}")
    fixed_size(description, image)
    return image


def scores_output(description: ModelDescription, key: str) -> tuple[DescribedTensor | None, str]:
    """The output with a score per class, and the key that finds it.

    Parameters
    ----------
    description
        The model.
    key
        ``model.output.key`` of the config: ``auto``, a name, or a place from 0.

    Returns
    -------
    tuple
        The tensor is None where the key is none of the description's.

    Raises
    ------
    ModelError
        No output is an image.
    """
    outputs = description.outputs
    if key != "auto":
        named = int(key) if key.isdecimal() else next((k for k, one in enumerate(outputs) if one.name == key), -1)
        return (outputs[named] if 0 <= named < len(outputs) else None), key
    place = next((k for k, tensor in enumerate(outputs) if tensor.letters == NETWORK_AXES), None)
    if place is None:
        first = outputs[0]
        raise ModelError(
            f"{description.package.name}: the output {first.name} has the axes {first.letters}, "
            f"{axes_fault(first.letters)}"
        )
    return outputs[place], str(place) if len(outputs) > 1 else key


def fixed_size(description: ModelDescription, image: DescribedTensor) -> int | None:
    """The only size that an image may have, px; None where sizes vary. Raises ModelError where it is no square."""
    sizes = [axis.size for axis in image.axes if axis.letter in ("y", "x")]
    if len(set(sizes)) > 1 and None not in sizes:
        raise ModelError(
            f"{description.package.name}: the input {image.name} has {sizes[0]} rows and {sizes[1]} cols, so that no "
            f"tile can be square. Take a network whose rows and cols are alike, or vary."
        )
    return next((size for size in sizes if size is not None), None)


def training_pixel_size(image: DescribedTensor) -> float | None:
    """Of the training, m; None where it is not stated, or rows and cols differ."""
    sizes = {axis.pixel_size for axis in image.axes if axis.letter in "yx"}
    return sizes.pop() if len(sizes) == 1 else None
