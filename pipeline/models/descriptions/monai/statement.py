"""What a bundle states, in keys of a config."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from pipeline.config import ClassConfig, ModelConfig
from pipeline.errors import ModelError
from pipeline.models.descriptions.description import Statement
from pipeline.models.descriptions.monai.bundle_input import bundle_input_keys, turned_by_loader
from pipeline.models.descriptions.monai.bundle_output import bundle_output_keys
from pipeline.models.descriptions.monai.metadata import DATA_FORMAT, TensorPart
from pipeline.models.descriptions.monai.read import Bundle
from pipeline.models.descriptions.monai.tensors import bundle_image, bundle_scores, square_size
from pipeline.models.descriptions.monai.weights import (
    built_network,
    bundle_code,
    bundle_files,
    bundle_kind,
    bundle_weights,
)
from pipeline.models.descriptions.overrides import stated_input, stated_output

INFERER = "inferer"
BACKGROUND_NAME = "background"


def bundle_statement(bundle: Bundle, model: ModelConfig) -> Statement:
    """What a bundle states beside a config.

    Raises
    ------
    ModelError
        The bundle cannot be used, or asks for what is not done and the config does not override.
    """
    name, (_, image) = bundle.package.name, bundle_image(bundle)
    kind = bundle_kind(model, bundle)
    scores = bundle_scores(bundle, model.output.key)
    stated, of_each_sample = stated_input(model, name, partial(bundle_input_keys, bundle), _training_size(bundle))
    return Statement(
        title=_title(bundle),
        weights=f"weights {bundle_weights(bundle, kind)}{_alternatives(bundle, kind)}",
        kind=kind,
        **_network(bundle, model, kind),
        input=stated,
        of_each_sample=of_each_sample,
        output=_output(bundle, model, scores),
        hints=tuple(_hints(bundle, image)),
        **_names(bundle, model, scores),
    )


def _title(bundle: Bundle) -> str:
    metadata = bundle.metadata
    title = metadata.name or metadata.task or bundle.package.path.stem
    version = f" {metadata.version}" if metadata.version is not None else ""
    made_with = f" of MONAI {metadata.monai_version}" if metadata.monai_version is not None else ""
    return f"{title}, by {bundle.package.name} (bundle{version}{made_with})"


def _network(bundle: Bundle, model: ModelConfig, kind: str) -> dict[str, Any]:
    """What builds the network: nothing where the weights hold it, MONAI, or code of the bundle."""
    if kind != "python":
        return {}
    if model.factory is not None:
        network = bundle.network
        return {"args": network.arguments if network is not None and network.obstacle is None else {}}
    network = built_network(bundle)
    if network.obstacle is None:
        return {"factory": network.factory, "args": network.arguments}
    return {"code": bundle_code(bundle, model, network)}


def _output(bundle: Bundle, model: ModelConfig, scores: tuple[str, TensorPart] | None) -> dict[str, Any]:
    if scores is None:
        return {}
    name, tensor = scores
    steps = partial(bundle_output_keys, bundle, name, tensor.num_channels)
    return stated_output(model, bundle.package.name, name, steps, "auto")


def _names(bundle: Bundle, model: ModelConfig, scores: tuple[str, TensorPart] | None) -> dict[str, Any]:
    """Number and names of the channels; of one channel with two names these are its classes."""
    if scores is None:
        return {}
    name, tensor = scores
    channels, names = tensor.num_channels, tensor.names
    if channels == 1 and len(names) == 2:
        rows = [ClassConfig(name=one, role="background" if one.lower() == BACKGROUND_NAME else None) for one in names]
        return {"channels": channels, "classes": tuple(rows)}
    if channels is not None and names and len(names) != channels and model.classes is None:
        raise ModelError(
            f"{bundle.package.name} states {channels} channels of {DATA_FORMAT}.outputs.{name}, and its channel_def "
            f"names {len(names)} ({', '.join(names)}). Give model.classes in the config, in the network's order."
        )
    return {"channels": channels, "channel_names": names}


def _training_size(bundle: Bundle) -> int | None:
    """Of the metadata where it is fixed and a square; else of the window that the inferer slides."""
    window = _window(bundle)
    size = square_size(bundle_image(bundle)[1])
    return size if size is not None else window[0] if len(set(window)) == 1 else None


def _window(bundle: Bundle) -> tuple[int, ...]:
    """Rows and cols of the inferer's window, px; empty where it has none."""
    size = _inferer(bundle).get("roi_size")
    sides: list[Any] = size if isinstance(size, list) else [size, size]
    return tuple(sides) if len(sides) == 2 and all(type(side) is int and side > 0 for side in sides) else ()


def _inferer(bundle: Bundle) -> dict[str, Any]:
    value = {} if bundle.config is None else bundle.config.value(INFERER) if INFERER in bundle.config.content else {}
    return value if isinstance(value, dict) else {}


def _hints(bundle: Bundle, image: TensorPart) -> Iterator[str]:
    """What is told and decides nothing: measuring the network does."""
    sizes = " × ".join(map(str, image.spatial_shape or ()))
    if square_size(image) is None:
        yield f"images of {sizes} px are stated; what is measured of the network decides"
    if window := _window(bundle):
        overlap = _inferer(bundle).get("overlap", 0.25)
        share = f" with an overlap of {overlap}" if isinstance(overlap, int | float) else ""
        yield f"its inferer slides a window of {window[0]} × {window[1]} px{share}; what is measured decides here"
    if turned_by_loader(bundle):
        yield (
            "MONAI's readers of pictures and volumes give cols before rows, unless they are told otherwise, and a "
            "raster has rows first here: a network that was taught without flips sees it turned"
        )


def _alternatives(bundle: Bundle, kind: str) -> str:
    others = [one for one in bundle_files(bundle) if one != kind]
    return f"; model.kind: {' or '.join(others)} takes others" if others else ""
