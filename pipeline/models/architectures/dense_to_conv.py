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
    nn.AdaptiveAvgPool2d: F.avg_pool2d, nn.AdaptiveMaxPool2d: F.max_pool2d,
    F.adaptive_avg_pool2d: F.avg_pool2d, F.adaptive_max_pool2d: F.max_pool2d,
}  # fmt: skip
"""Adaptive pooling, and what it is at one size."""
SOFTMAXES = {"softmax", "log_softmax", "Softmax", "LogSoftmax"}
EACH = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish, nn.Tanh, nn.Sigmoid, nn.Hardswish, nn.Softplus, nn.Dropout, nn.Identity)
"""Layers that treat every number alike, so that their shape does not matter."""
EACH_NAMES = {"relu", "relu_", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh", "sigmoid", "hardswish", "dropout", "contiguous"}


def as_convolutions(classifier: nn.Module, bands: int, size: int) -> fx.GraphModule:
    """A copy of a classifier that takes larger images: (1, bands, rows, cols) → (1, classes, scores, scores).

    Parameters
    ----------
    classifier
        Convolutions and pools, then a flattening, then dense layers and whatever treats each number alike.
    bands
        Input bands.
    size
        Training size, px. Adaptive pooling is dropped where it changes nothing at that size, and becomes plain pooling where
        it leaves one number per channel.

    Raises
    ------
    ValueError
        It is of another form; the layer is named.
    """
    try:
        traced = fx.symbolic_trace(copy.deepcopy(classifier).cpu().eval())
    except Exception as error:  # tracing raises whatever the code raises on a proxy
        raise ValueError(f"its code cannot be followed ({type(error).__name__}: {str(error).splitlines()[0][:160]})") from error
    x = torch.zeros((1, bands, size, size))
    try:
        traced(x)
    except Exception as error:  # as above
        takes = next((f"its first convolution takes {part.in_channels} bands" for part in traced.modules() if isinstance(part, nn.Conv2d)), "")
        raise ValueError(f"it does not run on {bands} bands of {size} × {size} px ({takes}; {str(error).strip().splitlines()[0][:160]})") from error
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
        given = node.args[0] if node.args else None
        before = _shape(given) if isinstance(given, fx.Node) else ()
        kind, after = self._kind(node), _shape(node)
        if isinstance(given, fx.Node) and given in self.flat:
            if node.op != "output":
                self._behind(node, kind, given)
        elif kind in POOLS:
            self._pool(node, kind, given, before, after)
        elif len(before) == 4 and len(after) == 2:
            self._flatten(node, given, before, after)

    def _kind(self, node: fx.Node) -> Any:
        """Class of a module, the function itself, or the name of a method."""
        return type(self._module(node)) if node.op == "call_module" else node.target

    def _module(self, node: fx.Node) -> nn.Module:
        return self.traced.get_submodule(str(node.target))

    def _pool(self, node: fx.Node, kind: Any, given: Any, before: tuple[int, ...], after: tuple[int, ...]) -> None:
        if before == after:
            node.replace_all_uses_with(given)
        elif after[2:] == (1, 1):
            self._replace(node, POOLS[kind], given, before[2:])
        else:
            raise ValueError(f"{node.target} pools {before[2:]} to {after[2:]} px at the training size; only what is left unchanged or becomes one can be slid")

    def _flatten(self, node: fx.Node, given: Any, before: tuple[int, ...], after: tuple[int, ...]) -> None:
        channels, rows, cols = before[1:]
        if after[1] == channels * rows * cols:
            node.replace_all_uses_with(given)
            self.flat[given] = (channels, rows, cols)
        elif after[1] == channels and node.target in ("mean", torch.mean):
            self.flat[self._replace(node, F.avg_pool2d, given, (rows, cols))] = (channels, 1, 1)
        else:
            raise ValueError(f"{node.name} makes {after} of {before}, which is neither a flattening nor a mean over pixels")

    def _replace(self, node: fx.Node, pool: Callable[..., torch.Tensor], given: Any, kernel: tuple[int, ...]) -> fx.Node:
        with self.traced.graph.inserting_before(node):
            made = self.traced.graph.call_function(pool, (given, list(kernel)), {"stride": 1})
        made.meta = node.meta
        node.replace_all_uses_with(made)
        return made

    def _behind(self, node: fx.Node, kind: Any, given: fx.Node) -> None:
        """A layer behind the flattening."""
        channels, rows, cols = self.flat[given]
        name = getattr(kind, "__name__", str(kind))
        if node.target in ("size", "dim", getattr) or kind is operator.getitem:
            return  # sizes, which nobody asks for any more
        if kind is nn.Linear:
            layer = self._module(node)
            assert isinstance(layer, nn.Linear)
            self._put(node, _convolution(layer, channels, rows, cols))
            self.flat[node] = (layer.out_features, 1, 1)
        elif kind is nn.BatchNorm1d and (rows, cols) == (1, 1):
            self._put(node, _batch_norm(self._module(node)))
            self.flat[node] = (channels, 1, 1)
        elif name in SOFTMAXES:
            self._softmax(node)
            self.flat[node] = (channels, rows, cols)
        elif (isinstance(kind, type) and issubclass(kind, EACH)) or name in EACH_NAMES or kind is nn.Flatten or name == "flatten":
            self.flat[node] = (channels, rows, cols)
            if "latten" in name:
                node.replace_all_uses_with(given)
        else:
            raise ValueError(f"{node.target} ({name}) stands behind the flattening, and only dense layers and what treats each number alike can be slid")

    def _put(self, node: fx.Node, layer: nn.Module) -> None:
        owner, _, name = str(node.target).rpartition(".")
        setattr(self.traced.get_submodule(owner), name, layer)

    def _softmax(self, node: fx.Node) -> None:
        """Over the classes, which are now the second axis of four."""
        if node.op == "call_module":
            layer: Any = self._module(node)
            self._put(node, type(layer)(dim=1))
        else:
            node.args, node.kwargs = node.args[:1], {"dim": 1}


def _shape(node: fx.Node) -> tuple[int, ...]:
    return tuple(getattr(node.meta.get("tensor_meta"), "shape", ()))


def _convolution(layer: nn.Linear, channels: int, rows: int, cols: int) -> nn.Conv2d:
    made = nn.Conv2d(channels, layer.out_features, (rows, cols), bias=layer.bias is not None)
    made.weight = nn.Parameter(layer.weight.detach().view(layer.out_features, channels, rows, cols).clone())
    if layer.bias is not None:
        made.bias = nn.Parameter(layer.bias.detach().clone())
    return made.eval()


def _batch_norm(layer: Any) -> nn.BatchNorm2d:
    made = nn.BatchNorm2d(layer.num_features, eps=layer.eps, momentum=layer.momentum, affine=layer.affine, track_running_stats=layer.track_running_stats)
    made.load_state_dict(layer.state_dict())
    return made.eval()
