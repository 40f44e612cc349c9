"""What a network does to an image, operation by operation: recorded once, on a small one.

The recorder stands where torch hands operations to the device, so that code of Python, exported programs and
TorchScript look alike to it. See https://docs.pytorch.org/docs/stable/notes/extending.html for dispatch modes.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch.utils.weak import WeakTensorKeyDictionary

from pipeline.models.cropping.dispatch import Dispatch
from pipeline.models.cropping.movement import Movement, Unsupported
from pipeline.models.cropping.operations import MOVEMENTS, Arguments, movement_of, operation_name
from pipeline.models.cropping.steps import ImageStep, Place, Record


class ImageRecorder(Dispatch):
    """Follows one image, number 0."""

    def __init__(self, image: torch.Tensor) -> None:
        super().__init__()
        self.steps: list[ImageStep | None] = []
        self._images = WeakTensorKeyDictionary()
        self._deaths: list[tuple[int, int]] = []
        self._count = 0
        self._obstacle = ""  # TorchScript would wrap what is raised on the way in an error of its own
        self._images[image] = 0

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run an operation, and note what it does to images."""
        kwargs = kwargs or {}
        if func._schema.name not in MOVEMENTS:
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        result = func(*args, **kwargs)
        inputs = tuple(
            (place, self._images[tensor]) for place, tensor in _tensors(args, kwargs) if tensor in self._images
        )
        if not self._obstacle:
            try:
                self.steps.append(self._step(func, args, kwargs, inputs, result) if inputs else None)
            except Unsupported as error:
                self._obstacle = str(error)
        return result

    def record(self, returned: torch.Tensor) -> Record:
        """All that was noted.

        Raises Unsupported where something of it is not cropped.
        """
        if self._obstacle:
            raise Unsupported(self._obstacle)
        if returned not in self._images:
            raise Unsupported("what it returns is not made of its image")
        freed: dict[int, list[int]] = {}
        for moment, image in self._deaths:
            freed.setdefault(moment, []).append(image)
        steps = (
            None if step is None else replace(step, freed=tuple(freed.get(k, ()))) for k, step in enumerate(self.steps)
        )
        return Record(steps=tuple(steps), output=self._images[returned], size=(returned.shape[2], returned.shape[3]))

    def _step(
        self,
        func: Any,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        inputs: tuple[tuple[Place, int], ...],
        result: Any,
    ) -> ImageStep:
        name, output = func._schema.name, result[0] if isinstance(result, tuple | list) else result
        arguments, names = _arguments(func, args, kwargs), [argument.name for argument in func._schema.arguments]
        movement = movement_of(name, arguments)
        sources = [_tensor(args, kwargs, place) for place, _ in inputs]
        if any(_name(place, names) not in movement.inputs for place, _ in inputs):
            raise Unsupported(f"{operation_name(name)} takes an image for something else")
        _check_sizes(name, movement, sources, output)
        _check_others(name, movement, arguments, sources)
        copies = all(output.untyped_storage().data_ptr() != one.untyped_storage().data_ptr() for one in sources)
        return ImageStep(
            name=name,
            movement=movement,
            inputs=inputs,
            output=self._number(output, copies),
            in_place=any(output is one for one in sources),
            sized=None if movement.sized is None else _place(movement.sized, names, len(args)),
            copies=copies,
            bytes=output.shape[1] * output.element_size(),
        )

    def _number(self, image: torch.Tensor, copies: bool) -> int:
        if image not in self._images:
            self._count += 1
            number = self._count
            self._images[image] = number
            if copies:
                weakref.finalize(image, lambda: self._deaths.append((len(self.steps), number)))
        existing: int = self._images[image]
        return existing


def _tensors(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterator[tuple[Place, torch.Tensor]]:
    """All tensors of a call, also those in lists."""
    arguments: list[tuple[int | str, Any]] = [*enumerate(args), *kwargs.items()]
    for key, value in arguments:
        if isinstance(value, torch.Tensor):
            yield Place(key, None), value
        elif isinstance(value, list | tuple):
            yield from ((Place(key, k), item) for k, item in enumerate(value) if isinstance(item, torch.Tensor))


def record_network(network: Callable[[torch.Tensor], torch.Tensor], image: torch.Tensor) -> Record:
    """Run an image (n, bands, rows, cols) through a network and note its operations.

    Raises
    ------
    Unsupported
        It does something that is not cropped.
    """
    recorder = ImageRecorder(image)
    with torch.inference_mode(), recorder:
        returned = network(image)
    return recorder.record(returned)


def _arguments(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a call by name, with the defaults of those that are left out."""
    schema = func._schema.arguments
    defaults = {one.name: one.default_value for one in schema if one.has_default_value()}
    return {**defaults, **{one.name: value for one, value in zip(schema, args, strict=False)}, **kwargs}


def _tensor(args: Sequence[Any], kwargs: Mapping[str, Any], place: Place) -> torch.Tensor:
    value = kwargs[place.argument] if isinstance(place.argument, str) else args[place.argument]
    tensor: torch.Tensor = value if place.item is None else value[place.item]
    return tensor


def _name(place: Place, names: Sequence[str]) -> str:
    return place.argument if isinstance(place.argument, str) else names[place.argument]


def _place(name: str, names: Sequence[str], positional: int) -> Place:
    return Place(names.index(name) if names.index(name) < positional else name, None)


def _check_sizes(name: str, movement: Movement, sources: Sequence[torch.Tensor], output: torch.Tensor) -> None:
    """Raise Unsupported unless the output of an operation is as large as its movement says."""
    for source in sources:
        if source.ndim != 4 or output.ndim != 4:
            raise Unsupported(f"{operation_name(name)} makes no image of an image")
        if (movement.rows.size(source.shape[2]), movement.cols.size(source.shape[3])) != tuple(output.shape[2:]):
            raise Unsupported(f"{operation_name(name)} changes the size of an image in its own way")


def _check_others(name: str, movement: Movement, arguments: Arguments, sources: Sequence[torch.Tensor]) -> None:
    """Raise Unsupported where a tensor of fixed size stands beside images, such as a table of positions."""
    for argument in movement.inputs:
        given = arguments[argument]
        for one in given if isinstance(given, list | tuple) else [given]:
            of_image = any(one is source for source in sources)
            if isinstance(one, torch.Tensor) and not of_image and max(one.shape[-2:], default=1) > 1 and one.ndim > 1:
                raise Unsupported(f"{operation_name(name)} takes a table of the image's size")
