"""Inputs of an exported program, by the arguments that it was exported with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils import _pytree as pytree

from pipeline.models.several_inputs.split_input import Images


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramInput:
    """A value that a program is given."""

    name: str
    """The key of a mapping, else the name of the parameter."""
    shape: Any
    """Lengths of a tensor's axes, numbers or symbols; None of what is no tensor."""


@dataclass(frozen=True, slots=True)
class ProgramCall:
    """Calls a program with images by name, in the form of the arguments that it was exported with."""

    form: Any
    """Its arguments as a tree of PyTorch's."""
    names: tuple[str, ...]
    """Of the leaves of that tree, in order."""

    def __call__(self, network: torch.nn.Module, images: Images) -> Any:
        """What the program returns for an image of each input."""
        args, kwargs = pytree.tree_unflatten([images[name] for name in self.names], self.form)
        return network(*args, **kwargs)


def program_inputs(program: Any) -> list[ProgramInput]:
    """What a program is given, in the order of its arguments."""
    names = program.graph_signature.user_inputs
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    shapes = [getattr(nodes[name].meta.get("val"), "shape", None) if name in nodes else None for name in names]
    return [
        ProgramInput(name=name, shape=shape)
        for name, shape in zip(_argument_names(program, names), shapes, strict=True)
    ]


def program_call(program: Any, inputs: Sequence[ProgramInput]) -> ProgramCall:
    """How a program is called."""
    return ProgramCall(program.call_spec.in_spec, tuple(one.name for one in inputs))


def _argument_names(program: Any, names: Sequence[Any]) -> list[str]:
    """Keys of a mapping that the program was given, which its own names hold with that of the mapping."""
    form = program.call_spec.in_spec
    if form is None or form.num_leaves != len(names):
        return [str(name) for name in names]
    tree = pytree.tree_unflatten(list(map(str, names)), form)
    return [_name(path, name) for path, name in pytree.tree_flatten_with_path(tree)[0]]


def _name(path: Sequence[Any], name: str) -> str:
    """The key at the end of a path within an argument; else the name of the argument itself."""
    last = path[-1]
    return str(last.key) if len(path) > 2 and isinstance(last, pytree.MappingKey) else name
