"""What an MLM description states, in keys of a config."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.config import ClassConfig, ModelConfig
from pipeline.errors import ModelError
from pipeline.models.descriptions.description import Statement, StepError
from pipeline.models.descriptions.mlm.classes import described_classes
from pipeline.models.descriptions.mlm.description import MlmDescription
from pipeline.models.descriptions.mlm.parts import InputPart, OutputPart
from pipeline.models.descriptions.mlm.postprocessing import activation_keys
from pipeline.models.descriptions.mlm.preprocessing import program_before, stated_steps
from pipeline.models.descriptions.mlm.tensors import NUMBERS, fixed_side, image_of, scores_of, tasks_of
from pipeline.models.descriptions.mlm.weights import ChosenFile, choose_file
from pipeline.models.descriptions.program_archive import has_program

RESAMPLING_TYPES = ("interpolation", "wrap")
"""How values of ``resize_type`` begin that change the scale of an image."""


def state_of_mlm(description: MlmDescription, model: ModelConfig) -> Statement:
    """What the description states beside a config.

    Raises
    ------
    ModelError
        The description cannot be used, or asks for what is not done and the config does not override.
    """
    image = image_of(description)
    output, key = scores_of(description, model.output.key)
    chosen = choose_file(description, model)
    _require_scale(description, image, model)
    # with a map, classes of the config are sums of these
    is_open = model.classes is None or model.output.map is not None
    classes = () if output is None or not is_open else _classes(description, output, chosen)
    version = f"MLM {description.version}" if description.version else "MLM"
    model_name = f"{description.properties.name} ({description.properties.architecture})"
    return Statement(
        title=f"{model_name}, by {description.name} ({version})",
        weights=chosen.text,
        kind=chosen.kind,
        args=chosen.args,
        input=_stated_input(description, image, model, chosen),
        output=_stated_output(description, output, key, model, chosen),
        channels=None if output is None else output.channels,
        channel_names=tuple(row.name for row in classes if row.role != "background"),
        classes=classes,
        hints=tuple(_hints(description, image, output, chosen)),
    )


def _classes(description: MlmDescription, output: OutputPart, chosen: ChosenFile) -> tuple[ClassConfig, ...]:
    """Those of a file of ours where it lists the same names: it has roles and codes of its own."""
    if _is_of_numbers(description, output):
        return ()
    rows = described_classes(description, output)
    trained = tuple(ClassConfig(**row) for row in chosen.meta.classes) if chosen.meta else ()
    return trained if rows and {row.name for row in rows} <= {row.name for row in trained} else rows


def _is_of_numbers(description: MlmDescription, output: OutputPart) -> bool:
    return set(tasks_of(description, output)) & {NUMBERS} != set() and not output.classes


def _stated_input(
    description: MlmDescription, image: InputPart, model: ModelConfig, chosen: ChosenFile
) -> dict[str, Any]:
    """Keys of ``model.input`` that the description decides."""
    given = set() if model.input is None else model.input.model_fields_set
    side = fixed_side(description, image)
    steps = stated_steps(description, image, model, chosen)
    section = {**steps, **({"size": side} if side is not None else {})}
    return {name: value for name, value in section.items() if name not in given}


def _stated_output(
    description: MlmDescription, output: OutputPart | None, key: str, model: ModelConfig, chosen: ChosenFile
) -> dict[str, Any]:
    """Keys of ``model.output`` that the description decides."""
    given = model.output.model_fields_set
    try:
        keys = {} if output is None else activation_keys(output)
    except StepError as error:
        if "activation" not in given:
            raise ModelError(
                f"{description.name}: after the network, {error}. Give model.output.activation in the config (none, "
                f"softmax or sigmoid), which takes its place."
            ) from error
        keys = {}
    section = {**(chosen.meta.output if chosen.meta else {}), **keys, **({} if key == "auto" else {"key": key})}
    replaced = {*given, *({"multilabel"} if "activation" in given else set())}
    return {name: value for name, value in section.items() if name not in replaced}


def _require_scale(description: MlmDescription, image: InputPart, model: ModelConfig) -> None:
    """Raise ModelError where images were brought to another scale, unless the config says that pixels have it."""
    resampled = image.resize_type is not None and image.resize_type.startswith(RESAMPLING_TYPES)
    if not resampled or (model.input is not None and "size" in model.input.model_fields_set):
        return
    size = fixed_side(description, image)
    raise ModelError(
        f"{description.name}: images are resized before the network ({image.resize_type}), and a raster is read at its "
        f"own pixel size. Where its pixels have the size of those of the training, say so by model.input.size: "
        f"{size or 256}."
    )


def _hints(
    description: MlmDescription, image: InputPart, output: OutputPart | None, chosen: ChosenFile
) -> Iterator[str]:
    """What is told and decides nothing."""
    if chosen.kind == "exported" and has_program(chosen.path, program := program_before(image)):
        yield f"the program {program} of the archive is not run on tiles; model.input is what it does to made-up images"
    if image.band_names:
        yield f"bands of the training, in order: {', '.join(image.band_names)}"
    if not image.input.data_type.startswith("float"):
        yield f"its input is stated to be {image.input.data_type}; networks are given float32"
    if image.resize_type in ("crop", "pad"):
        yield f"images of other sizes were changed there ({image.resize_type}); a raster is tiled"
    if output is not None and _is_of_numbers(description, output):
        yield "it returns numbers of each pixel and no classes: output.layers: [values] keeps them"
