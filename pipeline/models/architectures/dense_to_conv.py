"""Dense layers rewritten as convolutions, in the graph of a classifier."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp

REVISION = 1
"""Raised when the same weights would say something else."""
POOLS: dict[Any, Callable[..., torch.Tensor]] = {
    nn.AdaptiveAvgPool2d: F.avg_pool2d,
    nn.AdaptiveMaxPool2d: F.max_pool2d,
    F.adaptive_avg_pool2d: F.avg_pool2d,
    F.adaptive_max_pool2d: F.max_pool2d,
}
"""Adaptive pooling, and what it is at one size."""
SOFTMAXES = {"softmax", "log_softmax", "Softmax", "LogSoftmax"}
ELEMENTWISE = (
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.ELU,
    nn.SELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Tanh,
    nn.Sigmoid,
    nn.Hardswish,
    nn.Softplus,
    nn.Dropout,
    nn.Identity,
)
"""Layers that treat every number alike, so that their shape does not matter."""
ELEMENTWISE_NAMES = {
    "relu",
    "relu_",
    "relu6",
    "leaky_relu",
    "elu",
    "selu",
    "gelu",
    "silu",
    "tanh",
    "sigmoid",
    "hardswish",
    "dropout",
    "contiguous",
}


def as_convolutions(classifier: nn.Module, bands: int, size: int) -> fx.GraphModule:
    """A copy of a classifier that takes larger images: (1, bands, rows, cols) → (1, classes, scores, scores).

    Parameters
    ----------
    classifier
        Convolutions and pools, then a flattening, then dense layers and whatever treats each number alike.
    bands
        Input bands.
    size
        Training size, px. Adaptive pooling is dropped where it changes nothing at that size, and becomes plain pooling
        where it leaves one number per channel.

    Raises
    ------
    ValueError
        It is of another form; the layer is named.
    """
    try:
        traced = fx.symbolic_trace(copy.deepcopy(classifier).cpu().eval())
    except Exception as error:  # tracing raises whatever the code raises on a proxy
        raise ValueError(
            f"its code cannot be followed ({type(error).__name__}: {str(error).splitlines()[0][:160]})"
        ) from error
    x = torch.zeros((1, bands, size, size))
    try:
        traced(x)
    except Exception as error:  # as above
        expected_bands = next(
            (
                f"its first convolution takes {part.in_channels} bands"
                for part in traced.modules()
                if isinstance(part, nn.Conv2d)
            ),
            "",
        )
        raise ValueError(
            f"it does not run on {bands} bands of {size} × {size} px ({expected_bands}; "
            f"{str(error).strip().splitlines()[0][:160]})"
        ) from error
    ShapeProp(traced).propagate(x)
    rewriter = _Rewriter(traced)
    for node in list(traced.graph.nodes):
        rewriter.visit(node)
        node.type = None  # TorchScript does not know the names that tracing gives to annotations
    traced.graph.eliminate_dead_code()
    traced.graph.lint()
    traced.recompile()
    return traced


class _Rewriter:
    """Goes through a graph in order; after the flattening every tensor keeps two axes more than it had."""

    def __init__(self, traced: fx.GraphModule) -> None:
        self.traced = traced
        self.flat: dict[fx.Node, tuple[int, int, int]] = {}
        """Nodes behind the flattening, with (channels, rows, cols) of what they really hold at the training size."""

    def visit(self, node: fx.Node) -> None:
        """Rewrite one node, or let it be."""
        input_node = node.args[0] if node.args else None
        input_shape = _shape(input_node) if isinstance(input_node, fx.Node) else ()
        kind, output_shape = self._kind(node), _shape(node)
        if isinstance(input_node, fx.Node) and input_node in self.flat:
            if node.op != "output":
                self._after_flattening(node, kind, input_node)
        elif kind in POOLS:
            self._pool(node, kind, input_node, input_shape, output_shape)
        elif len(input_shape) == 4 and len(output_shape) == 2:
            self._flatten(node, input_node, input_shape, output_shape)

    def _kind(self, node: fx.Node) -> Any:
        """Class of a module, the function itself, or the name of a method."""
        return type(self._module(node)) if node.op == "call_module" else node.target

    def _module(self, node: fx.Node) -> nn.Module:
        return self.traced.get_submodule(str(node.target))

    def _pool(
        self, node: fx.Node, kind: Any, input_node: Any, input_shape: tuple[int, ...], output_shape: tuple[int, ...]
    ) -> None:
        if input_shape == output_shape:
            node.replace_all_uses_with(input_node)
        elif output_shape[2:] == (1, 1):
            self._replace(node, POOLS[kind], input_node, input_shape[2:])
        else:
            raise ValueError(
                f"{node.target} pools {input_shape[2:]} to {output_shape[2:]} px at the training size; only "
                f"what is left unchanged or becomes one can be slid"
            )

    def _flatten(
        self, node: fx.Node, input_node: Any, input_shape: tuple[int, ...], output_shape: tuple[int, ...]
    ) -> None:
        channels, rows, cols = input_shape[1:]
        if output_shape[1] == channels * rows * cols:
            node.replace_all_uses_with(input_node)
            self.flat[input_node] = (channels, rows, cols)
        elif output_shape[1] == channels and node.target in ("mean", torch.mean):
            self.flat[self._replace(node, F.avg_pool2d, input_node, (rows, cols))] = (channels, 1, 1)
        else:
            raise ValueError(
                f"{node.name} makes {output_shape} of {input_shape}, which is neither a flattening nor a "
                f"mean over pixels"
            )

    def _replace(
        self, node: fx.Node, pool: Callable[..., torch.Tensor], input_node: Any, kernel: tuple[int, ...]
    ) -> fx.Node:
        with self.traced.graph.inserting_before(node):
            pool_node = self.traced.graph.call_function(pool, (input_node, list(kernel)), {"stride": 1})
        pool_node.meta = node.meta
        node.replace_all_uses_with(pool_node)
        return pool_node

    def _after_flattening(self, node: fx.Node, kind: Any, input_node: fx.Node) -> None:
        """A layer behind the flattening."""
        channels, rows, cols = self.flat[input_node]
        name = getattr(kind, "__name__", str(kind))
        if node.target in ("size", "dim", getattr) or kind is operator.getitem:
            return  # sizes, which nobody asks for any more
        if kind is nn.Linear:
            layer = self._module(node)
            assert isinstance(layer, nn.Linear)
            self._set_module(node, _convolution(layer, channels, rows, cols))
            self.flat[node] = (layer.out_features, 1, 1)
        elif kind is nn.BatchNorm1d and (rows, cols) == (1, 1):
            self._set_module(node, _batch_norm(self._module(node)))
            self.flat[node] = (channels, 1, 1)
        elif name in SOFTMAXES:
            self._softmax(node)
            self.flat[node] = (channels, rows, cols)
        elif (
            (isinstance(kind, type) and issubclass(kind, ELEMENTWISE))
            or name in ELEMENTWISE_NAMES
            or kind is nn.Flatten
            or name == "flatten"
        ):
            self.flat[node] = (channels, rows, cols)
            if "latten" in name:
                node.replace_all_uses_with(input_node)
        else:
            raise ValueError(
                f"{node.target} ({name}) stands behind the flattening, and only dense layers and what "
                f"treats each number alike can be slid"
            )

    def _set_module(self, node: fx.Node, layer: nn.Module) -> None:
        owner, _, name = str(node.target).rpartition(".")
        setattr(self.traced.get_submodule(owner), name, layer)

    def _softmax(self, node: fx.Node) -> None:
        """Over the classes, which are now the second axis of four."""
        if node.op == "call_module":
            layer: Any = self._module(node)
            self._set_module(node, type(layer)(dim=1))
        else:
            node.args, node.kwargs = node.args[:1], {"dim": 1}


def _shape(node: fx.Node) -> tuple[int, ...]:
    return tuple(getattr(node.meta.get("tensor_meta"), "shape", ()))


def _convolution(layer: nn.Linear, channels: int, rows: int, cols: int) -> nn.Conv2d:
    convolution = nn.Conv2d(channels, layer.out_features, (rows, cols), bias=layer.bias is not None)
    convolution.weight = nn.Parameter(layer.weight.detach().view(layer.out_features, channels, rows, cols).clone())
    if layer.bias is not None:
        convolution.bias = nn.Parameter(layer.bias.detach().clone())
    return convolution.eval()


def _batch_norm(layer: Any) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(
        layer.num_features,
        eps=layer.eps,
        momentum=layer.momentum,
        affine=layer.affine,
        track_running_stats=layer.track_running_stats,
    )
    norm.load_state_dict(layer.state_dict())
    return norm.eval()
