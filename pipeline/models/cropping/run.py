"""A network on a tile of which a part is kept: each operation is given what that part is made of, and no more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from pipeline.models.cropping.dispatch import Dispatch
from pipeline.models.cropping.operations import MOVEMENTS
from pipeline.models.cropping.regions import CroppedStep, Regions
from pipeline.models.cropping.steps import ImageStep, Place, Record
from pipeline.runtime.device import out_of_memory


class Deviation(Exception):
    """The network did something else than when it was recorded."""


class Cropper(Dispatch):
    """Cuts images on their way into operations; for one call of a network."""

    def __init__(self, record: Record, regions: Regions) -> None:
        super().__init__()
        self._steps = zip(record.steps, regions.steps, strict=True)

    def run(self, network: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> torch.Tensor | None:
        """What the network returns of the regions' output, (n, classes, rows, cols).

        None where it does something else than when it was recorded, such as a network that looks at sizes.
        """
        try:
            with torch.inference_mode(), self:
                returned = network(x)
        except Exception as error:  # TorchScript wraps a deviation in an error of its own
            if out_of_memory(error):
                raise
            return None
        return returned if next(self._steps, None) is None else None

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run an operation on the parts that it is to be given."""
        if func._schema.name not in MOVEMENTS:
            with self:
                parts = func.decompose(*args, **(kwargs or {}))
            if parts is not NotImplemented:
                return parts
        step, cropped = next(self._steps, (None, None))
        if step is None or cropped is None:
            return func(*args, **(kwargs or {}))
        call = _Call(args, kwargs or {})
        if not self._matches(step, cropped, func, call):
            raise Deviation(f"{func._schema.name} was not recorded here")
        for (place, _), given, present in zip(step.inputs, cropped.inputs, cropped.present, strict=True):
            if given != present:
                call[place] = call[place][(..., *given.index_in(present))]
        if step.sized is not None:
            call[step.sized] = [cropped.output.height, cropped.output.width]
        return func(*call.args, **call.kwargs)

    def _matches(self, step: ImageStep, cropped: CroppedStep, func: Any, call: _Call) -> bool:
        """Whether an operation is the one that was recorded, on images of the size that is planned."""
        if func._schema.name != step.name:
            return False
        images = zip((call[place] for place, _ in step.inputs), cropped.present, strict=True)
        return all(image.shape[2:] == (present.height, present.width) for image, present in images)


class _Call:
    """Arguments that may be replaced."""

    def __init__(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self.args: list[Any] = list(args)
        self.kwargs: dict[str, Any] = dict(kwargs)

    def __getitem__(self, place: Place) -> Any:
        value = self.kwargs[place.argument] if isinstance(place.argument, str) else self.args[place.argument]
        return value if place.item is None else value[place.item]

    def __setitem__(self, place: Place, value: Any) -> None:
        if place.item is not None:
            items = list(self[Place(place.argument, None)])
            items[place.item] = value
            value = items
        if isinstance(place.argument, str):
            self.kwargs[place.argument] = value
        else:
            self.args[place.argument] = value
