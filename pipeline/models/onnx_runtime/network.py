"""An ONNX network as a module of torch, and what torch would have seen of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

import torch
import torch.utils.dlpack

from pipeline.config import InputBands
from pipeline.errors import ModelError
from pipeline.interfaces import Origin, Step
from pipeline.models.onnx_runtime import session as onnx_session
from pipeline.models.onnx_runtime.arrays import OnnxSession, ran_out_of_memory
from pipeline.models.onnx_runtime.file import Node, OnnxFile, Shape, Value
from pipeline.models.onnx_runtime.origin import origin_of
from pipeline.models.several_inputs.split_input import split_bands
from pipeline.runtime import resources
from pipeline.runtime.allocator import env_without_settings
from pipeline.runtime.backends import backend_of

INPUT_DTYPES = {1: torch.float32, 10: torch.float16, 11: torch.float64}
"""What is fed, by the number of its type."""
RESULTS_PER_RUN = 16
"""Results that are asked for at once."""
SHAPE_OPERATIONS = ("Shape", "Size")
"""Operations through which no pixel comes."""
MALLOC_SETTINGS = {"MALLOC_MMAP_THRESHOLD_": "65536"}
"""So that what is freed leaves the process at once: what is left behind is priced apart, and would count by the pixel
in a small image."""


class OnnxNetwork(torch.nn.Module):
    """One image through onnxruntime, or its bands into each input; pixels stay on the device.

    The session is opened with as many threads as torch is set to, and anew when that changes.
    """

    def __init__(
        self,
        path: Path,
        file: OnnxFile,
        image_inputs: tuple[Value, ...],
        output: str,
        device: torch.device,
        input_bands: tuple[InputBands, ...] = (),
    ) -> None:
        super().__init__()
        self.path, self.file, self.output, self.device = path, file, output, device
        self.dtypes = {value.name: INPUT_DTYPES[value.dtype] for value in image_inputs}
        self.input_bands = input_bands
        self.backend = backend_of(device)
        self.register_buffer("place", torch.empty(0, device=device))  # tells where it is
        self.in_channels = None if input_bands else image_inputs[0].shape[1] or _first_convolution(file)
        self.sessions = OnnxSession(path, output, self.backend.providers(device))
        self.session()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, bands of all inputs, rows, cols) → what the network returns, in its own dtype.

        Raises
        ------
        ModelError
            A precision is asked for, which only the file can give.
        """
        if torch.is_autocast_enabled(self.device.type):
            raise ModelError(
                "execution.precision asks for less than float32, but an ONNX file says its own precision. "
                "Leave it auto, or convert the file."
            )
        images = {name: part.to(self.device).contiguous() for name, part in self.images(x).items()}
        try:
            return self._run(self.session(), images, [self.output])[0]
        except Exception as error:  # onnxruntime raises whatever its operators raise
            if ran_out_of_memory(error):
                raise torch.OutOfMemoryError(str(error)) from error
            raise
        finally:
            if not self.backend.copies:
                resources.trim_heap()  # tensors below 32 MiB would stay in heaps of their own, beside those of torch

    def images(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """The bands of one image that go into each input, in its dtype, by its name."""
        parts = split_bands(x, self.input_bands) if self.input_bands else dict.fromkeys(self.dtypes, x)
        return {name: part.to(self.dtypes[name]) for name, part in parts.items()}

    def session(self) -> Any:
        """The session for the threads that torch is set to."""
        return self.sessions.with_threads(torch.get_num_threads())

    def _run(self, session: Any, images: dict[str, torch.Tensor], outputs: list[str]) -> list[torch.Tensor]:
        """Run on torch's own memory; what comes back is onnxruntime's, which torch gives back."""
        import numpy as np

        device, index = self.device.type, self.device.index or 0
        # the input is there, and nobody needs the answer before, whose memory is onnxruntime's
        self.backend.wait(self.device)
        binding = session.io_binding()
        for name, x in images.items():
            dtype = np.dtype(str(x.dtype).removeprefix("torch."))
            binding.bind_input(name, device, index, dtype, tuple(x.shape), x.data_ptr())
        for name in outputs:
            binding.bind_output(name, device, index)
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()
        return [torch.utils.dlpack.from_dlpack(value._ortvalue.to_dlpack()) for value in binding.get_outputs()]


class OnnxGraph:
    """What an ONNX network is made of and what it costs: torch sees nothing of it."""

    def __init__(self, network: OnnxNetwork, batch: int) -> None:
        self._network, self._batch = network, batch

    @property
    def parameters(self) -> int:
        """Numbers that were learned."""
        return sum(prod(tensor.shape) for tensor in self._network.file.weights.values())

    @property
    def outputs(self) -> dict[str, Shape]:
        """Name and shape of all that it returns."""
        return {value.name: value.shape for value in self._network.file.outputs}

    @property
    def answer(self) -> str:
        """Name of the output that is taken."""
        return self._network.output

    def origin(self) -> Origin:
        """What made the output that is taken."""
        return origin_of(self._network.file, self._network.output)

    def peak(self, bands: int, side: int) -> int:
        """Bytes at the peak of one square image, beyond the input."""
        network = self._network
        images = network.images(torch.zeros((self._batch, bands, side, side), device=network.device))
        if network.backend.memory(network.device) is not None:
            return self._device_peak(images)
        arguments = {
            "model": str(network.path),
            "threads": torch.get_num_threads(),
            "inputs": {
                name: [str(image.dtype).removeprefix("torch."), list(image.shape)] for name, image in images.items()
            },
            "output": network.output,
        }
        del images  # what the other process takes is measured, and not what this one holds
        # -P: the folder of the script has modules whose names other libraries have too
        command = [sys.executable, "-P", onnx_session.__file__, json.dumps(arguments)]
        result = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, check=False, env=env_without_settings(os.environ) | MALLOC_SETTINGS
        )
        if result.returncode:
            raise ModelError(
                f"The network in {network.path} could not be run on an image of {side} px to see its "
                f"memory: {result.stderr.strip()[-300:]}"
            )
        return int(result.stdout)

    def _device_peak(self, images: dict[str, torch.Tensor]) -> int:
        """What a new session takes of the GPU: it grows as it needs to and gives nothing back."""
        network = self._network
        session = onnx_session.open_session(
            str(network.path), torch.get_num_threads(), network.backend.providers(network.device)
        )
        free_before = _free(network)
        network._run(session, images, [network.output])
        return max(free_before - _free(network), 0)

    def steps(
        self, x: torch.Tensor, other: torch.Tensor | None = None, kinds: frozenset[str] | None = None
    ) -> list[Step]:
        """Every operation as it runs on an image, and how much of what it is given and returns differs on another.

        Parameters
        ----------
        x
            (1, bands, rows, cols).
        other
            Another image of the same shape.
        kinds
            Operations to look at; all by default.
        """
        nodes = [node for node in self._network.file.nodes if node.outputs and (kinds is None or node.kind in kinds)]
        names = dict.fromkeys(
            name for node in nodes for name in (*node.inputs, node.outputs[0]) if name in self._computed_names
        )
        summaries = {
            name: summary
            for group in _groups(list(names))
            for name, summary in self._summaries(group, x, other).items()
        }
        others = {} if other is None else self._network.images(other)
        summaries |= {name: _summary(image, others.get(name)) for name, image in self._network.images(x).items()}
        return [self._step(node, summaries) for node in nodes if node.outputs[0] in summaries]

    def _step(self, node: Node, summaries: dict[str, Any]) -> Step:
        weights = self._network.file.weights
        constants = {name: (weights[name].shape, weights[name].values, 0.0) for name in node.inputs if name in weights}
        inputs = [(constants | summaries).get(name, ((), None, 0.0)) for name in node.inputs]
        shape, _, after = summaries[node.outputs[0]]
        return Step(
            kind=node.kind,
            name=node.name or node.outputs[0],
            attributes=node.attributes,
            input_shapes=tuple(summary[0] for summary in inputs),
            output_shape=shape,
            values=tuple(summary[1] for summary in inputs),
            depends_on_image=tuple(name in self._image_dependent for name in node.inputs),
            captures=bool(node.captures & self._image_dependent),
            input_change=max((summary[2] for summary in inputs), default=0.0),
            output_change=after,
        )

    def _summaries(self, names: list[str], x: torch.Tensor, other: torch.Tensor | None) -> dict[str, Any]:
        """Shape, numbers where they are few, and share that differs, by name."""
        network = self._network
        session = onnx_session.open_session(
            self._model_with_outputs(names),
            torch.get_num_threads(),
            network.backend.providers(network.device),
            folder=str(network.path.parent),
            optimise=False,
        )
        results = [session.run(names, self._input_arrays(image)) for image in (x, other) if image is not None]
        return {name: _summary(*(torch.as_tensor(run[k]) for run in results)) for k, name in enumerate(names)}

    def _model_with_outputs(self, names: list[str]) -> bytes:
        """The file with these results as outputs: parts of a graph are merged, wherever they stand."""
        from onnx import ModelProto

        returned, addition = self.outputs, ModelProto()
        for name in names:
            if name not in returned:
                addition.graph.output.add(name=name)
        addition_bytes: bytes = addition.SerializeToString()
        return self._network.path.read_bytes() + addition_bytes

    def _input_arrays(self, image: torch.Tensor) -> dict[str, Any]:
        parts = self._network.images(image.to("cpu"))
        return {name: part.expand((self._batch, *part.shape[1:])).contiguous().numpy() for name, part in parts.items()}

    @cached_property
    def _computed_names(self) -> frozenset[str]:
        return frozenset(name for node in self._network.file.nodes for name in node.outputs if name)

    @cached_property
    def _image_dependent(self) -> frozenset[str]:
        """Values that descend from the image; arithmetic on its size does not."""
        names = set(self._network.dtypes)
        for node in self._network.file.nodes:
            if node.kind not in SHAPE_OPERATIONS and names & {*node.inputs, *node.captures}:
                names |= set(node.outputs)
        return frozenset(names)


def _free(network: OnnxNetwork) -> int:
    memory = network.backend.memory(network.device)
    assert memory is not None, "asked only of a device with memory of its own"
    return memory.free


def _groups(names: list[str]) -> Iterator[list[str]]:
    return (names[k : k + RESULTS_PER_RUN] for k in range(0, len(names), RESULTS_PER_RUN))


def _summary(
    value: torch.Tensor, other: torch.Tensor | None = None
) -> tuple[tuple[int, ...], tuple[float, ...] | None, float]:
    values = tuple(value.flatten().tolist()) if value.numel() <= RESULTS_PER_RUN else None
    if other is None or not value.numel():
        return tuple(value.shape), values, 0.0
    return tuple(value.shape), values, (value != other).float().mean().item() if value.shape == other.shape else 1.0


def _first_convolution(file: OnnxFile) -> int | None:
    """Bands by the first convolution; None where nothing tells."""
    node = next(
        (
            node
            for node in file.nodes
            if node.kind == "Conv" and len(node.inputs) > 1 and node.inputs[1] in file.weights
        ),
        None,
    )
    if node is None:
        return None
    return file.weights[node.inputs[1]].shape[1] * int(node.attributes.get("group") or 1)
