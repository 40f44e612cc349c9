"""What a graph of OpenVINO does to its image, operation by operation, read from the graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from pipeline.models.cropping.axes import Pixelwise
from pipeline.models.cropping.movement import Movement, Unsupported
from pipeline.models.cropping.steps import ImageStep, Place, Record
from pipeline.models.openvino.cropping.operations import SIZE_INPUT, graph_movement
from pipeline.models.openvino.session import static_graph

FUSING = frozenset(("Convolution", "GroupConvolution", "ConvolutionBackpropData", "GroupConvolutionBackpropData"))
"""Operations with which OpenVINO computes what is done afterwards to each pixel of their result."""


def image_nodes(graph: Any) -> Iterator[tuple[Any, tuple[int, ...]]]:
    """The operations on a graph's image in their order, with which of their inputs are images."""
    images = {_name(graph.inputs[0])}
    for node in graph.get_ordered_ops():
        sources = [node.input_value(place) for place in range(node.get_input_size())]
        places = tuple(place for place, source in enumerate(sources) if _name(source) in images)
        if places and node.get_type_name() != "Result":
            images.add(node.get_friendly_name())
            yield node, places


def record_graph(graph: Any, output: int, shape: Sequence[int]) -> Record:
    """Read a graph.

    Parameters
    ----------
    graph
        ``openvino.Model`` of one input; it stays as it is.
    output
        Which of its outputs are the logits.
    shape
        (batch, bands, rows, cols) of an image that it takes.

    Raises
    ------
    Unsupported
        It does something that is not cropped.
    """
    static = static_graph(graph, shape)
    reader = _Reader(_name(static.inputs[0]))
    steps = [reader.step(node, places) for node, places in image_nodes(static)]
    returned = static.outputs[output].get_node().input_value(0)
    if not steps or _name(returned) not in reader.images:
        raise Unsupported("what it returns is not made of its image")
    rows, cols = returned.get_shape()[2:]
    image = reader.images[_name(returned)]
    return Record(steps=_with_lifetimes(steps, image), output=image, size=(int(rows), int(cols)))


class _Reader:
    """Follows a graph's image, number 0."""

    def __init__(self, image: str) -> None:
        self.images = {image: 0}
        """Numbers of images by the names of what returns them."""
        self._fusing: set[str] = set()

    def step(self, node: Any, places: tuple[int, ...]) -> ImageStep:
        """One operation, given which of its inputs are images."""
        movement = graph_movement(node, places)
        _check_images(node, places, movement)
        name, output, sources = node.get_friendly_name(), node.output(0), [node.input_value(k) for k in places]
        fused = self._is_fused(sources, movement)
        numbers = [self.images[_name(source)] for source in sources]
        if fused or node.get_type_name() in FUSING:
            self._fusing.add(name)
        self.images[name] = numbers[0] if fused else max(self.images.values()) + 1
        return ImageStep(
            name=node.get_type_name(),
            movement=movement,
            inputs=tuple((Place(place, None), number) for place, number in zip(places, numbers, strict=True)),
            output=self.images[name],
            in_place=fused,
            sized=None if movement.sized is None else Place(SIZE_INPUT, None),
            copies=not fused,
            bytes=int(output.get_shape()[1]) * int(output.get_element_type().size),
            fused=fused,
        )

    def _is_fused(self, sources: Sequence[Any], movement: Movement) -> bool:
        """Whether OpenVINO computes an operation together with the one before it."""
        if len(sources) > 1 or not isinstance(movement.rows, Pixelwise):
            return False
        return _name(sources[0]) in self._fusing and len(sources[0].get_target_inputs()) == 1


def _check_images(node: Any, places: tuple[int, ...], movement: Movement) -> None:
    """Raise Unsupported unless images stand where they may, and have the sizes that the movement says."""
    name, output = node.get_type_name(), list(node.output(0).get_shape())
    if any(str(place) not in movement.inputs for place in places):
        raise Unsupported(f"{name} takes an image for something else")
    if any(node.input_value(place).get_index() for place in places):
        raise Unsupported(f"{name} takes the second result of another operation")
    for shape in (list(node.input(place).get_shape()) for place in places):
        sizes = [rule.size(length) for rule, length in zip((movement.rows, movement.cols), shape[2:], strict=False)]
        if len(shape) != 4 or len(output) != 4 or sizes != output[2:]:
            raise Unsupported(f"{name} changes the size of an image in its own way")


def _with_lifetimes(steps: list[ImageStep], output: int) -> tuple[ImageStep, ...]:
    """The same with the images that each step is the last to read."""
    last = {image: k for k, step in enumerate(steps) for _, image in step.inputs}
    last.pop(output, None)
    return tuple(
        replace(step, freed=tuple(image for image, moment in last.items() if moment == k))
        for k, step in enumerate(steps)
    )


def _name(output: Any) -> str:
    """Of the operation that returns it, which no other one in its graph has."""
    name: str = output.get_node().get_friendly_name()
    return name
