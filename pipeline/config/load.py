"""YAML 1.2 in, a checked config out; what is wrong is said in one paragraph."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.config import Config, factory, paths
from pipeline.config.areas import TISSUE
from pipeline.config.families import ENGINE_FACTS
from pipeline.config.paths import is_there
from pipeline.config.postprocess import Postprocess, StepConfig
from pipeline.config.private_names import conceal_private_names, require_no_stand_ins
from pipeline.config.search import SearchConfig
from pipeline.errors import ConfigError
from pipeline.locations import Place

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
PATHS = (
    ("source", "path"),
    ("source", "path", "*"),
    ("source", "sign"),
    ("source", "path", "*", "path"),
    ("source", "path", "*", "path", "*"),
    ("source", "aoi"),
    ("source", "aoi", "path"),
    ("source", "only"),
    ("source", "only", "path"),
    ("source", "grid", "like"),
    ("model", "path"),
    ("output", "path"),
    ("output", "exports", "*", "out"),
    ("model", "factory"),
    ("training", "start"),
    ("model", "input", "transform"),
    *(
        ("training", *scenes, "*", "path", *inner)
        for scenes in (("scenes",), ("validation", "scenes"))
        for inner in ((), ("*",), ("*", "*"))
    ),
    ("training", "scenes", "*", "labels", "path"),
    *(
        ("execution", engine, *key)
        for engine in ENGINE_FACTS
        for key in (("tls", "ca"), ("tls", "cert"), ("tls", "key"), ("logs",))
    ),
    ("training", "validation", "scenes", "*", "labels", "path"),
)
"""Keys that hold a path; * is each of a list, and at the end each value of a mapping or a list."""
FILES = ("source", "path", "*")
"""Files by band, or the parts of a search, which are no paths."""


def load_config(path: Path, overrides: tuple[str, ...] | list[str] = ()) -> Config:
    """Read a config.

    Parameters
    ----------
    path
        YAML file. Paths in it are relative to its folder.
    overrides
        ``key.path=value``, the value in YAML; paths in them are relative to the working directory.

    Raises
    ------
    ConfigError
        The file is missing or broken, or says something that is not allowed.
    """
    folder = path.resolve().parent
    return validated_config(_anchored(_expanded(_read(path), folder), folder), overrides, path)


def validated_config(document: dict[str, Any], overrides: tuple[str, ...] | list[str], path: Place) -> Config:
    """A config from plain values, with overrides as for `load_config`; raises ConfigError, which names ``path``."""
    for override in overrides:
        _apply(document, override)
    require_no_stand_ins(document, path)
    try:
        config = Config.model_validate(document)
    except ValidationError as error:
        raise ConfigError(f"{path}: {_explain(error)}") from error
    if config.output.redact:
        conceal_private_names(config)
    return config


def config_of(source: Config | str | Path | Mapping[str, Any]) -> Config:
    """A config from whatever a program has.

    A file, plain values with paths relative to the working directory, or the config itself.

    Raises
    ------
    ConfigError
        As for `load_config`.
    """
    if isinstance(source, Config):
        return source
    if isinstance(source, Mapping):
        folder = Path.cwd()
        return validated_config(_anchored(_expanded(dict(source), folder), folder), (), Path("the mapping"))
    return load_config(Path(source))


def load_steps(path: Path) -> list[StepConfig]:
    """Read a list of steps, as ``output.postprocess`` has it, from a YAML file of its own.

    Raises
    ------
    ConfigError
        The file is missing or broken, or says something that is not allowed.
    """
    document = _parse(_text(path, "The file of steps", "Give the path of a YAML file with a list of steps."), str(path))
    if not isinstance(document, list):
        raise ConfigError(f"{path} holds no list of steps. Write them as output.postprocess has them: - sieve: 20 px.")
    try:
        return TypeAdapter(Postprocess).validate_python(document)
    except ValidationError as error:
        raise ConfigError(f"{path}: {_explain(error)}") from error


def schema() -> dict[str, Any]:
    """The JSON schema of the config."""
    return Config.model_json_schema()


def _read(path: Path) -> dict[str, Any]:
    hint = "Give the path of a YAML file; `wholecloth schema` prints what it may say."
    document = _parse(_text(path, "The config", hint), str(path))
    if not isinstance(document, dict):
        raise ConfigError(
            f"{path} holds {type(document).__name__ if document is not None else 'nothing'}, not the "
            f"sections source, model and output."
        )
    return document


def _text(path: Path, name: str, hint: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise ConfigError(f"{name} {path} cannot be read: {reason}. {hint}") from error


def _parse(text: str, name: str) -> Any:
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(
            f"{name} is not valid YAML{where}: {getattr(error, 'problem', None) or 'cannot be parsed'}. Mend that line."
        ) from error


def _expanded(value: Any, folder: Path) -> Any:
    """``${VAR}`` in every string that is no file's name as it is written; a variable that is not set is an error."""
    if isinstance(value, dict):
        return {key: _expanded(entry, folder) for key, entry in value.items()}
    if isinstance(value, list):
        return [_expanded(entry, folder) for entry in value]
    if isinstance(value, os.PathLike):
        return _expanded(os.fspath(value), folder)
    if not isinstance(value, str) or "${" not in value or is_there(value, folder):
        return value
    return re.sub(r"\$\{(\w+)\}", _variable, value)


def _variable(match: re.Match[str]) -> str:
    try:
        return os.environ[match[1]]
    except KeyError:
        raise ConfigError(
            f"The config uses ${{{match[1]}}}, which is not set in the environment. Set it, or write the value."
        ) from None


def _anchored(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    for path in PATHS:
        for part in _parts(document, path[:-1]):
            for key, value in _entries(part, path[-1]):
                if isinstance(value, str) and not (path == FILES and key in SearchConfig.model_fields):
                    part[key] = _anchor(path[-1], value, folder)
    return document


def _entries(part: Any, name: str) -> list[tuple[Any, Any]]:
    """The keys of a section or places of a list that a name or * stands for, with their values."""
    if name == "*":
        return [*(part.items() if isinstance(part, dict) else enumerate(part))]
    return [(name, part.get(name))] if isinstance(part, dict) else []


def _parts(document: Any, names: tuple[str, ...]) -> Iterator[Any]:
    """The sections and lists that a path of keys leads to, as far as they are there."""
    if not names:
        sections = [document] if isinstance(document, dict | list) else []
    elif names[0] == "*":
        sections = [
            inner for entry in (document if isinstance(document, list) else []) for inner in _parts(entry, names[1:])
        ]
    else:
        sections = list(_parts(document.get(names[0]), names[1:])) if isinstance(document, dict) else []
    yield from sections


def _anchor(key: str, value: str, folder: Path) -> str:
    if key == "only" and value == TISSUE:
        return value
    return (
        factory.anchored_factory(value, folder)
        if key in ("factory", "transform", "sign")
        else paths.anchored_path(value, folder)
    )


def _apply(document: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    names = key.strip().split(".")
    if not equals or not all(names):
        raise ConfigError(f"--set {override} is not of the form key.path=value, such as --set tile.size=1024.")
    if names[0] == "locked":
        raise ConfigError(
            f"--set {override}: what is locked is not set. Freeze another plan with `wholecloth plan CONFIG "
            f"--freeze FILE`."
        )
    value = _from_working_directory(names, _expanded(_parse(text, f"--set {key}"), Path.cwd()))
    part: Any = document
    for name in names[:-1]:
        part = part.setdefault(name, {}) if isinstance(part, dict) else None
    if not isinstance(part, dict):
        raise ConfigError(f"--set {override}: {'.'.join(names[:-1])} is no section of the config.")
    part[names[-1]] = value


def _from_working_directory(names: list[str], value: Any) -> Any:
    """The value of a key, with the paths in it made absolute from the working directory."""
    whole = value
    for name in reversed(names):
        whole = {name: whole}
    whole = _anchored(whole, Path.cwd())
    for name in names:
        whole = whole[name]
    return whole


def _explain(error: ValidationError) -> str:
    """Every problem in one paragraph, each with its key, without pydantic's branches of unions."""
    problems: dict[str, str] = {}
    for entry in sorted(error.errors(), key=_is_other_union_branch):
        key = _key(entry["loc"])
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
    for part in location:
        if isinstance(part, int):
            names.append(str(part))
        elif names and (model is None or (part not in _fields(model))) and not _unknown(location, part):
            continue
        else:
            names.append(part)
        model = _inner(model, part)
    return ".".join(names)


def _unknown(location: tuple[int | str, ...], part: str) -> bool:
    return (
        part == location[-1]
        and "[" not in part
        and part not in ("int", "float", "str", "list", "constrained-int", "constrained-float", "literal")
    )


def _inner(model: Any, part: int | str) -> Any:
    if isinstance(part, int) or model is None:
        return model
    field = _fields(model).get(part)
    return _model_of(field.annotation) if field else None


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
    sentence = message[0].lower() + message[1:]
    options = _options(sentence) if entry["type"] == "literal_error" else []
    return f"{key} is {given!r}: {sentence}{_nearest(str(given), options)}"


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
    for part in section.split(".") if section else []:
        model = model if part.isdigit() else _inner(model, part)
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
