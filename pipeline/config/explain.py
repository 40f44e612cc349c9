"""What is wrong with a config, in one paragraph."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from pipeline.config import Config, ModelConfig
from pipeline.config.members import MemberConfig

OTHER_TOOLS_KEYS = {
    "patch_size": "tile.size",
    "chip_size": "tile.size",
    "roi_size": "tile.size",
    "window_size": "tile.size",
    "tile_size": "tile.size",
    "batch_size": "tile.batch, of blended tiles; others vary in size and are as large as memory allows",
    "stride": "tile.overlap",
    "padding": "tile.halo",
    "num_workers": "execution.workers",
    "gpu": "execution.device",
    "weights": "model.path",
    "checkpoint": "model.path",
    "input_path": "source.path",
    "output_path": "output.path",
    "num_classes": "model.classes",
}
"""What other tools call things, and what to write here."""
OTHER_TOOLS_TRAINING_KEYS = {
    "batch_size": "training.batch",
    "epochs": "training.rounds, each of training.steps",
    "max_epochs": "training.rounds, each of training.steps",
    "lr": "training.optimiser.rate",
    "learning_rate": "training.optimiser.rate",
    "weight_decay": "training.optimiser.decay",
    "patch_size": "training.window",
    "chip_size": "training.window",
    "crop_size": "training.window",
    "num_workers": "training.loaders",
    "gpus": "training.devices",
    "early_stopping": "training.patience",
    "val_split": "training.validation.share",
    "num_classes": "model.classes",
}
"""The same within the section of training."""


def explain(error: ValidationError, section: str = "") -> str:
    """Every problem in one paragraph, each with its key, without pydantic's branches of unions.

    ``section`` is that which was checked; empty for a whole config.
    """
    problems: dict[str, str] = {}
    for entry in sorted(error.errors(), key=_is_other_union_branch):
        key = _key((section, *entry["loc"]) if section else entry["loc"])
        problems.setdefault(key, _problem(key, entry))
    deepest = {
        key: message for key, message in problems.items() if not any(other.startswith(f"{key}.") for other in problems)
    }
    return "; ".join(deepest.values()) + "."


def _is_other_union_branch(entry: Mapping[str, Any]) -> bool:
    """Whether another branch of a union says more of what was given.

    A number is not told of words that it might have been.
    """
    return entry["type"] == "literal_error" and not isinstance(entry["input"], str)


def _fields(model: Any) -> dict[str, Any]:
    """Fields of a section by their names in the file."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _key(location: tuple[int | str, ...]) -> str:
    """Keys of the file only: branches of unions are named like types and hold brackets or are no fields."""
    names: list[str] = []
    model: Any = Config
    is_name = False
    for part in location:
        if isinstance(part, int):
            names.append(str(part))
        elif is_name:  # of a section, such as that of an input
            names.append(part)
            is_name = False
            continue
        elif names and (model is None or (part not in _fields(model))) and not _unknown(location, part):
            continue
        else:
            names.append(part)
        is_name = holds_named_sections(model, part)
        model = inner_section(model, part)
    return ".".join(names)


def _unknown(location: tuple[int | str, ...], part: str) -> bool:
    return (
        part == location[-1]
        and "[" not in part
        and part not in ("int", "float", "str", "list", "constrained-int", "constrained-float", "literal")
    )


def inner_section(model: Any, part: int | str) -> Any:
    """The class of the section that a key of another holds; None where it holds none."""
    if isinstance(part, int) or model is None:
        return model
    if model is ModelConfig and part == "path":  # a list of sections may stand there
        return MemberConfig
    field = _fields(model).get(part)
    return _model_of(field.annotation) if field else None


def holds_named_sections(model: Any, part: int | str) -> bool:
    """Whether a key of a section holds sections by names that the user chooses."""
    field = None if isinstance(part, int) or model is None else _fields(model).get(part)
    arguments: tuple[Any, ...] = getattr(field.annotation, "__args__", ()) if field else ()
    return len(arguments) == 2 and arguments[0] is str and isinstance(arguments[1], type)


def _model_of(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(
        (model for inner in getattr(annotation, "__args__", ()) if (model := _model_of(inner)) is not None), None
    )


def _problem(key: str, entry: Mapping[str, Any]) -> str:
    given = entry.get("input")
    if entry["type"] == "extra_forbidden":
        return _unknown_key(key)
    if entry["type"] == "missing":
        return f"{key} is missing"
    message = str(entry["msg"]).removeprefix("Value error, ")
    sentence = _of_section(key, message[0].lower() + message[1:])
    options = _options(sentence) if entry["type"] == "literal_error" else []
    if isinstance(given, Mapping) and any(isinstance(value, Mapping) for value in given.values()):
        return f"{key}: {sentence}" if key else sentence  # a section of sections would fill a page
    return f"{key} is {given!r}: {sentence}{_nearest(str(given), options)}"


def _of_section(key: str, message: str) -> str:
    """A message of a source, which names the keys of ``source``, with those of the input that a key is of."""
    names = key.split(".")
    if names[:2] != ["model", "inputs"] or len(names) < 3:
        return message
    return re.sub(r"(?<![\w./-])source\.(?=[a-z])", f"{'.'.join(names[:3])}.", message)


def _options(message: str) -> list[str]:
    return re.findall(r"'([^']+)'", message)


def _unknown_key(key: str) -> str:
    section, _, name = key.rpartition(".")
    foreign = OTHER_TOOLS_TRAINING_KEYS if section.startswith("training") else OTHER_TOOLS_KEYS
    if name in foreign:
        return f"{key} is not a key of the config; here it is {foreign[name]}"
    return f"{key} is not a key of the config{_nearest(name, sorted(_keys(section)))}"


def _keys(section: str) -> set[str]:
    model: Any = Config
    is_name = False
    for part in section.split(".") if section else []:
        if not is_name and not part.isdigit():
            is_name, model = holds_named_sections(model, part), inner_section(model, part)
        else:
            is_name = False
    return set(_fields(model)) if model is not None else set()


def _nearest(name: str, options: list[str]) -> str:
    near = difflib.get_close_matches(name, options, 1, cutoff=0.5)
    return (
        f" (did you mean {near[0]}?)"
        if near
        else f" (it may be {', '.join(options)})"
        if options and len(options) < 12
        else ""
    )
