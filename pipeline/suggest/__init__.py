"""A first config, from a model file and a scene: what they say is written down, what is guessed is marked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config import ModelConfig, SourceConfig
from pipeline.errors import BandsError, ModelError
from pipeline.protocols import Source
from pipeline.sources import open_source, with_notes
from pipeline.suggest.facts import Facts
from pipeline.suggest.model_file import look
from pipeline.suggest.network import Seen, see
from pipeline.suggest.scene import sample
from pipeline.suggest.sections import head, model_section, output_section, source_section


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A config and what is still to be done to it."""

    text: str
    todo: tuple[str, ...]


def suggest(model: Path, scene: str, folder: Path, factory: str | None = None) -> Suggestion:
    """Look at a model file and a scene, and write a config for them.

    Parameters
    ----------
    model
        File with the weights or the whole network.
    scene
        Path or URL of a raster.
    folder
        Where the config will lie; its paths are relative to that.
    factory
        ``package.module:callable`` or ``file.py:callable`` that builds the network of a file of weights; its code is executed.

    Raises
    ------
    InputError
        One of them is missing, is nothing that can be used, or does not fit the other.
    """
    source, known = open_source(SourceConfig(path=scene)), look(model, factory)
    seen = _seen(model, known, scene, source)
    bands = seen.bands if seen else known.bands
    values = sample(source)
    parts = [
        head(source, values, known, seen),
        source_section(scene, source.bands, bands, folder),
        model_section(model, folder, known, seen, source.dtype, values, bands),
        output_section(scene),
    ]
    return Suggestion(text="\n".join("\n".join(part) for part in parts) + "\n", todo=known.todo)


def _seen(model: Path, known: Facts, scene: str, source: Source) -> Seen | None:
    """The network at work; None where it cannot run yet. Refuses one that takes more bands than there are."""
    there = source.bands
    try:
        if known.bands is not None and known.bands > there:
            raise BandsError("", known.bands)
        return see(ModelConfig(path=model, **known.model, **_trained(known)), known.bands or there) if known.runs else None
    except BandsError as error:
        words = (
            f"MODEL {model} takes {error.wanted} bands, but SCENE {scene} has {there}. Give a scene that has them all, such as a VRT that stacks "
            "several files (gdalbuildvrt -separate), or a network for these bands."
        )
        raise ModelError(with_notes(words, source)) from error


def _trained(known: Facts) -> dict[str, Any]:
    """The training size, as a section of the config."""
    return {"input": {"size": known.input["size"]}} if "size" in known.input else {}
