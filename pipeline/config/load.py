"""YAML 1.2 in, a checked config out; what is wrong is said in one paragraph."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.config import Config
from pipeline.config.explain import explain
from pipeline.config.path_keys import anchored
from pipeline.config.paths import is_there
from pipeline.config.postprocess import Postprocess, StepConfig
from pipeline.config.private_names import conceal_private_names, require_no_stand_ins
from pipeline.config.trust import without_trust
from pipeline.errors import ConfigError
from pipeline.locations import Place


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
    return validated_config(_typed(_read(path), folder), overrides, path)


def validated_config(document: dict[str, Any], overrides: tuple[str, ...] | list[str], path: Place) -> Config:
    """A config from plain values, with overrides as for `load_config`; raises ConfigError, which names ``path``."""
    for override in overrides:
        _apply(document, override)
    require_no_stand_ins(document, path)
    try:
        config = Config.model_validate(document)
    except ValidationError as error:
        raise ConfigError(f"{path}: {explain(error)}") from error
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
        return validated_config(_typed(dict(source), folder), (), Path("the mapping"))
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
        raise ConfigError(f"{path}: {explain(error)}") from error


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


def _typed(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A document with variables and paths filled in; a frozen plan, which may be a stranger's, trusts nothing."""
    document = without_trust(document) if "locked" in document else document
    return anchored(_expanded(document, folder), folder)


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
    whole = anchored(whole, Path.cwd())
    for name in names:
        whole = whole[name]
    return whole
