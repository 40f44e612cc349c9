"""A network that OpenVINO runs, as a module of torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from pipeline.errors import ModelError
from pipeline.models.cropping.regions import Regions
from pipeline.models.loaded import Loaded
from pipeline.models.openvino.converted_graph import ConvertedGraph
from pipeline.models.openvino.graphs import CompiledGraphs
from pipeline.models.openvino.kept_graph import kept_graph


def run_by_openvino(network: Loaded, shape: Sequence[int]) -> Loaded:
    """The same network, run by OpenVINO; its answers differ by roundings.

    Parameters
    ----------
    network
        On the CPU, in eval mode.
    shape
        (batch, bands, rows, cols) of an image that it takes, with which its code is followed.

    Raises
    ------
    ModelError
        OpenVINO cannot take it.
    """
    return replace(network, module=OpenVinoNetwork(kept_graph(network, shape)), graph=None)


class OpenVinoNetwork(torch.nn.Module):
    """`CompiledGraphs` on as many threads as torch has."""

    def __init__(self, converted: ConvertedGraph) -> None:
        super().__init__()
        self.graphs = CompiledGraphs(converted)
        self.register_buffer("place", torch.empty(0))  # tells that it is on the CPU

    @property
    def converted(self) -> ConvertedGraph:
        """The network as OpenVINO has it."""
        return self.graphs.converted

    def forward(self, x: torch.Tensor, regions: Regions | None = None) -> torch.Tensor:
        """Run one image.

        Parameters
        ----------
        x
            (batch, bands, rows, cols) float32.
        regions
            What is computed of it; None for all of it.

        Returns
        -------
        torch.Tensor
            (batch, classes, rows, cols) at the network's own size; of the regions' output where there are regions.

        Raises
        ------
        ModelError
            Less than float32 is asked for.
        """
        if torch.is_autocast_enabled("cpu"):
            raise ModelError("execution.runtime openvino computes in float32 alone. Leave execution.precision auto.")
        image = x.to(torch.float32).contiguous().numpy()
        try:
            return torch.from_numpy(self.graphs.run(image, torch.get_num_threads(), regions))
        except MemoryError as error:
            raise torch.OutOfMemoryError(str(error)) from error
