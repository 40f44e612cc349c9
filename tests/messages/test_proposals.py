from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import typer
from ruamel.yaml import YAML

from pipeline.cli import app
from pipeline.config import Config, LabelsConfig
from pipeline.config.explain import inner_section
from pipeline.config.families import kinds_with
from pipeline.config.load import validated_config
from pipeline.errors import ConfigError
from tests.messages import proposals
from tests.messages.proposals import HOLE, SECTIONS, Text, texts_of

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.xdist_group("messages")
"""One process reads the package."""
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # a group has them
OPTIONS = {
    name: {option.removeprefix("--") for part in command.params for option in part.opts} | {"help"}
    for name, command in COMMANDS.items()
}
BEFORE = {"debug", "version", "help"}
"""Options that come before a command's name."""
ELSEWHERE = {
    "vips": {"tile", "pyramid", "bigtiff", "compression"},
    "tf2onnx": {"inputs-as-nchw", "outputs-as-nchw", "keras", "tflite", "saved-model", "output"},
    "hf download": {"revision"},
    "pip": {"force-reinstall", "no-deps", "index-url", "upgrade"},
    "sbatch": {"array", "gres"},
    "dask worker": {"memory-limit"},
}
"""Options of other people's programs that messages propose."""
PROSE = {"the", "weights", "normalised"}
"""Words that follow a key and a colon and are no values."""
ROOMS = {"labels": "evaluate", "evaluation": "evaluate", "suggest": "init", "inspection": "inspect"}
"""Rooms whose messages one command alone shows; those of labels are shown by `train` as well, which has keys for
them."""
SHORTEST: dict[str, Any] = {
    "source": {"path": "scene.tif"},
    "model": {"classes": [{"name": "a", "color": "#000000"}]},
    "output": {"path": "out.zarr"},
    "training": {"scenes": [{"path": "scene.tif", "labels": {"path": "labels.tif"}}]},
}


def having(part: Callable[[str], list[Any]]) -> list[Text]:
    """The texts that propose something of a kind."""
    return [text for text in proposals.texts() if part(text.words)]


@pytest.mark.slow
def test_commands_are_there_and_take_the_options_that_follow_them() -> None:
    for text in having(proposals.commands):
        for command, options in proposals.commands(text.words):
            assert command in COMMANDS, text.place
            assert set(options) <= OPTIONS[command], text.place


def test_options_are_those_of_a_command_that_shows_the_message() -> None:
    ours, others = set().union(*OPTIONS.values()) | BEFORE, set().union(*ELSEWHERE.values())
    for text in having(proposals.options):
        named = set(proposals.options(text.words)) - (others - ours)
        room = ROOMS.get(Path(text.file).parts[0])
        assert named <= (OPTIONS[room] if room else ours), text.place


def test_options_of_labels_come_with_the_key_that_train_has_for_them() -> None:
    """`evaluate` takes options, and `train` keys: a message of both names both."""
    for text in having(proposals.options):
        if Path(text.file).parts[0] == "labels":
            keys = {key.removeprefix("labels.") for key, _ in proposals.keys(text.words)}
            assert set(proposals.options(text.words)) <= keys, text.place


@pytest.mark.parametrize("section", SECTIONS)
def test_keys_are_keys_of_the_config(section: str) -> None:
    for text in proposals.texts():
        for key, _ in proposals.keys(text.words):
            if key.startswith(f"{section}."):
                assert is_key(key), text.place


def is_key(key: str) -> bool:
    """Whether the config has a key; what lies below ``model.args`` is the network's own."""
    first, *names = key.split(".")
    model = LabelsConfig if first == "labels" else inner_section(Config, first)
    for name in names:
        if model is None or name not in model.model_fields:
            return False
        if (first, name) == ("model", "args"):
            return True
        model = inner_section(model, name)
    return True


def test_values_that_are_proposed_are_taken() -> None:
    proposed = {
        (key, value): text
        for text in proposals.texts()
        for key, value in proposals.keys(text.words)
        if value not in (None, HOLE, *PROSE)
    }
    assert len(proposed) > 15
    for (key, value), text in proposed.items():
        assert accepted(key, filled(str(value))), text.place


def accepted(key: str, value: str) -> bool:
    """Whether the config takes it, as ``--set`` gives it."""
    config: dict[str, Any] = copy.deepcopy(SHORTEST)
    if "mosaic" in kinds_with(key.removeprefix("source.")):
        config["source"]["kind"] = "mosaic"
    if key.startswith("labels."):
        labels = config["training"]["scenes"][0]["labels"]
        labels[key.removeprefix("labels.")] = YAML(typ="safe", pure=True).load(value)
    try:
        validated_config(config, [] if key.startswith("labels.") else [f"{key}={value}"], Path("job.yaml"))
    except ConfigError:
        return False
    return True


def filled(value: str) -> str:
    """A proposed value with a number in the place of what a message puts in, and without the end of a list that goes
    on."""
    return value.replace(", …", "").replace(HOLE, "0.5" if "tolerance" in value else "1")


def test_extras_bring_what_their_messages_need() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {name for text in proposals.texts() for name in proposals.extras(text.words)} <= set(extras)
    calls = proposals.needs()
    assert len(calls) > 3
    installed = metadata.packages_distributions()
    for file, module, extra in calls:
        names = {plain(name) for name in installed.get(module.partition(".")[0], [module])}
        assert names & {plain(re.split(r"[\[<>=]", part)[0]) for part in extras[extra]}, (
            f"{file}: {extra} brings no {module}"
        )


def plain(name: str) -> str:
    return name.lower().replace("_", "-")


NEW = """
def check(x):
    '''Set tile.doc: 3.'''
    raise Error(f"Size {x}. Set tile.size: {x}, or run wholecloth run CONFIG "
                "--fast, with pip install 'wholecloth[gpu]'.")
"""


def test_a_new_message_is_seen_with_what_it_proposes() -> None:
    (text,) = texts_of(NEW, "x.py")
    assert proposals.keys(text.words) == [("tile.size", HOLE)]
    assert proposals.commands(text.words) == [("run", ["fast"])]
    assert proposals.extras(text.words) == ["gpu"]
