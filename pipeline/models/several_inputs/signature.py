"""Which inputs a network takes, and whether a config names them."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from pipeline.errors import ModelError

MAPPINGS = ("dict", "mapping")
"""Beginnings of types of a parameter that takes all inputs by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Inputs of a network."""

    required: tuple[str, ...]
    """In the network's order."""
    optional: tuple[str, ...] = ()
    """Those that it can do without."""
    is_mapping: bool = False
    """Whether it takes one mapping of inputs by name."""
    is_open: bool = False
    """Whether it takes inputs of any name."""

    @property
    def names(self) -> tuple[str, ...]:
        """All inputs whose names are known."""
        return () if self.is_open else (*self.required, *self.optional)


def signature_of(module: torch.nn.Module) -> Signature:
    """The inputs of a network of Python code or of TorchScript, by the parameters of its ``forward``."""
    return _of_script(module) if isinstance(module, torch.jit.ScriptModule) else _of_code(module.forward)


def signature_of_class(network: type[torch.nn.Module]) -> Signature:
    """The inputs of a network that is not made yet."""
    return _of_code(functools.partial(network.forward, None))


def _of_script(module: torch.jit.ScriptModule) -> Signature:
    parameters = module.forward.schema.arguments[1:]  # type: ignore[attr-defined]  # torch types it as a function
    required = tuple(one.name for one in parameters if not one.has_default_value())
    if len(required) == 1 and _is_mapping(str(parameters[0].type)):
        return Signature(required=(), is_mapping=True, is_open=True)
    optional = tuple(one.name for one in parameters if one.has_default_value())
    return Signature(required=required, optional=optional)


def _of_code(forward: Callable[..., Any]) -> Signature:
    parameters = inspect.signature(forward).parameters.values()
    plain = [one for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    required = [one for one in plain if one.default is one.empty]
    if len(required) == 1 and _is_mapping(_type_name(required[0].annotation)):
        return Signature(required=(), is_mapping=True, is_open=True)
    return Signature(
        required=tuple(one.name for one in required),
        optional=tuple(one.name for one in plain if one.default is not one.empty),
        is_open=any(one.kind is one.VAR_KEYWORD for one in parameters),
    )


def _type_name(annotation: object) -> str:
    return annotation if isinstance(annotation, str) else str(getattr(annotation, "__name__", annotation))


def _is_mapping(type_name: str) -> bool:
    return type_name.rpartition(".")[2].lower().startswith(MAPPINGS) or type_name.lower().startswith(MAPPINGS)


def require_named(signature: Signature, names: Sequence[str], place: object) -> None:
    """Raise ModelError where a config names other inputs than a network takes, or leaves one out.

    Parameters
    ----------
    signature
        Of the network.
    names
        Of the inputs that have a source.
    place
        What the network is loaded from, for the message.
    """
    takes = f"the network in {place} takes {_listed(signature.required, signature.optional)}"
    unknown = [name for name in names if name not in signature.names]
    if unknown and not signature.is_open:
        near = difflib.get_close_matches(unknown[0], signature.names, 1)
        rename = f"Rename it to {near[0]}" if near else "Name the inputs as the network does, or leave it out"
        raise ModelError(f"model.inputs names {unknown[0]}, but {takes}. {rename}.")
    lacking = [name for name in signature.required if name not in names]
    if lacking:
        raise ModelError(
            f"model.inputs names {', '.join(names)}, but {takes}. Add the source of each that lacks: "
            f"{', '.join(f'model.inputs.{name}: {{path: FILE}}' for name in lacking)}"
            f"{', or give it as the section source' if len(lacking) == 1 else ''}."
        )


def several_inputs_error(place: object, names: Sequence[str]) -> ModelError:
    """Of a network of several inputs whose config names one source."""
    sources = ", ".join(f"{name}: {{path: FILE}}" for name in names)
    return ModelError(
        f"The network in {place} takes {len(names)} inputs ({', '.join(names)}), and one source is given. Name "
        f"the source of each under model.inputs, all on one grid: {sources} (init takes --input NAME=FILE); or export "
        f"the network with one input."
    )


def one_input_error(kind: str | None, place: object) -> ModelError:
    """Of a network of one input whose config names several."""
    return ModelError(
        f"model.inputs names sources of several inputs, but networks of kind {kind}, such as that in {place}, take one "
        f"image. Leave model.inputs out; kind: stack of source puts bands of several files side by side."
    )


def _listed(required: Sequence[str], optional: Sequence[str]) -> str:
    plural = "s" if len(required) > 1 else ""
    needs = f"the input{plural} {', '.join(required)}" if required else "no input by name"
    return f"{needs}, and may take {', '.join(optional)}" if optional else needs
