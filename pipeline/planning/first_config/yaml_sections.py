"""The sections of a first config, line by line."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from pipeline.config import TileConfig
from pipeline.config.paths import anchored_path, is_gdal_name
from pipeline.geometry.grid import Grid
from pipeline.inspect.scene_values import Values, guess_normalisation
from pipeline.interfaces import Source
from pipeline.models.descriptions.foreign_entries import EIGHT_BITS
from pipeline.planning import edges
from pipeline.planning.first_config.facts import ModelFacts
from pipeline.planning.first_config.network import NetworkFacts
from pipeline.planning.first_config.planes import PlaneSelect
from pipeline.planning.first_config.scene_bands import BandChoice
from pipeline.planning.yaml_text import comment, key_line, section
from pipeline.sources.mosaics.listing import is_pattern

KIND_ORIGINS = {
    "bands": "SCENE has a file per band",
    "mosaic": "SCENE names several rasters",
    "slide": "SCENE is named as slides are",
    "stac": "SCENE is an item of a catalogue",
    "zarr": "SCENE holds arrays",
}
SLIDE_ORIGINS = {
    "level": "default: as the scanner took it; mpp: 0.5 reads it at 0.5 µm per px",
    "mpp": "the model's file: what it was trained at",
}
MAX_LISTED_BANDS = 20
"""Bands whose values are told one by one."""


HEADER = (
    "A first config. Beside each line stands where it comes from: given by you, a tag of the scene's file, the "
    "model's file, measured, a default, or GUESS.",
    "Lines marked GUESS want a look; `wholecloth preview` shows one window, and `wholecloth plan` tells what a run "
    "would do.",
)
"""How a first config begins."""


def header_comments(
    source: Source,
    values: Values,
    model_facts: ModelFacts,
    network_facts: NetworkFacts | None,
    band_titles: Sequence[str] = (),
) -> list[str]:
    """What was found out, as comments; ``band_titles`` are all bands of a scene whose bands go by names."""
    grid = source.grid
    notes = [*HEADER]
    notes.append(
        f"scene, by its tags: {grid.height} × {grid.width} px{_resolution(grid)}, {source.bands} bands of "
        f"{source.dtype}"
    )
    notes.append(f"scene, measured on a lattice of windows: {values.share:.0%} of the pixels are valid")
    notes += [f"scene, bands to choose from: {', '.join(band_titles)}"] if band_titles else []
    notes += [f"scene: {note}" for note in source.notes]
    bands = list(enumerate(zip(values.low, values.high, values.mean, values.std, strict=True), 1))
    notes += [
        f"scene, measured: band {k}: {low:g} … {high:g}, mean {mean:.4g}, deviation {std:.3g}"
        for k, (low, high, mean, std) in bands[:MAX_LISTED_BANDS]
    ]
    notes += [f"scene: and {len(bands) - MAX_LISTED_BANDS} bands more"] if len(bands) > MAX_LISTED_BANDS else []
    notes += network_notes(model_facts, network_facts)
    return [comment(text) for text in (*notes, *(f"TO ADD: {text}" for text in model_facts.todo))]


def network_notes(model_facts: ModelFacts, network_facts: NetworkFacts | None) -> list[str]:
    """What was found out of the network, a sentence each."""
    remarks = (
        network_facts.notes + network_facts.locality.remarks + edges.edge_remarks(network_facts.locality, TileConfig())
        if network_facts
        else ()
    )
    return [
        f"{_network_subject(network_facts)}: {model_facts.description}{_verdict(model_facts, network_facts)}",
        *(f"network: {note}" for note in (*model_facts.notes, *remarks)),
    ]


def _network_subject(network_facts: NetworkFacts | None) -> str:
    return "network, measured" if network_facts else "network, by its file"


def source_section(
    settings: Mapping[str, Any],
    choice: BandChoice | None,
    folder: Path,
    given: Mapping[str, Any],
    planes: PlaneSelect | None = None,
) -> list[str]:
    """Where the scene is, and its bands where a config has to name them.

    ``settings`` are the kind, the path, the grid, and whatever else of the section a config has to say; those that are
    also in ``given`` come from the user.
    """
    origins = {
        "kind": KIND_ORIGINS.get(settings.get("kind", ""), ""),
        "path": "given: SCENE",
        **SLIDE_ORIGINS,
        "select": "" if planes is None else planes.origin,
        "grid": "GUESS: the pieces lie on several lattices, and this is about that of the first",
        **dict.fromkeys(given, "given: --source"),
    }
    values = {**settings, "path": relative_path(settings["path"], folder)}
    lines = [key_line(2, key, value, origins[key]) for key, value in values.items()]
    return section("source", lines + ([key_line(2, "bands", choice.bands, choice.origin)] if choice else []))


def model_section(
    address: str,
    folder: Path,
    model_facts: ModelFacts,
    network_facts: NetworkFacts | None,
    dtype: np.dtype[Any],
    values: Values,
    bands: int | None,
    typed: Mapping[str, str] = MappingProxyType({}),
    input_lines: list[str] | None = None,
) -> list[str]:
    """The network, its classes, normalisation and output; what a file of ours says is left to it.

    ``typed`` names the option that each key was given by. ``input_lines`` stand in place of the normalisation.
    """
    todo = " ".join(model_facts.todo)
    lines = []
    for key, value in model_facts.model.items():
        if model_facts.is_native and key not in typed and f"model.{key}" not in todo:
            continue
        lines.append(
            key_line(
                2,
                key,
                relative_path(value, folder) if key == "factory" else value,
                _origin(key, todo, typed),
            )
        )
    lines.append(
        key_line(
            2,
            "path",
            relative_path(address, folder),
            "TO ADD" if "model.path" in todo else _path_origin(model_facts),
        )
    )
    lines += [] if model_facts.is_native and model_facts.classes else _classes(model_facts, network_facts)
    lines += (
        input_lines
        if input_lines is not None
        else _native_transform(model_facts)
        if model_facts.is_native and model_facts.input
        else [_input(_with_fixed_size(model_facts, network_facts), dtype, values, bands) + _size_origin(network_facts)]
    )
    return section("model", lines + _output(model_facts, network_facts, typed))


def _origin(key: str, todo: str, typed: Mapping[str, str]) -> str:
    if f"model.{key}" in todo:
        return "TO ADD"
    return f"given: {typed[key]}" if key in typed else "the model's file"


def _path_origin(model_facts: ModelFacts) -> str:
    return f"given: MODEL; {_native_contents(model_facts)}" if model_facts.is_native else "given: MODEL"


def output_section(scene: str) -> list[str]:
    """Where the store goes."""
    parts = scene.replace('"', "").split(":")[1:] if is_gdal_name(scene) else [scene.partition("?")[0]]
    parts = [str(Path(part).parent) if is_pattern(part) else part for part in parts]
    name = "_".join(stem for part in parts if (stem := Path(part).stem)) or "scene"
    lines = [
        key_line(2, "path", f"out/{name}.zarr", "default: named after the scene"),
        key_line(2, "layers", ["mask", "confidence"], "default: what preview shows"),
    ]
    return section("output", lines)


def _resolution(grid: Grid) -> str:
    units = {"um": "µm per px", "crs": f"units of {grid.code or 'its CRS'} per px"}
    return f" of {grid.pixel_size[0]:g} {units[grid.unit]}" if grid.unit in units else ""


def _verdict(model_facts: ModelFacts, network_facts: NetworkFacts | None) -> str:
    if network_facts is None:
        return (
            "; not run, because of what is TO ADD"
            if model_facts.todo
            else "; not run here: `wholecloth plan` builds it and gives its verdict"
        )
    locality = network_facts.locality
    reach = f"radius {locality.radius.largest} px" if locality.radius else "no bound to its radius"
    blame = ", ".join(locality.blame) or "what was measured"
    ends = {"local": "tiles will equal the whole", "unproven": f"whether tiles equal the whole is left open by {blame}"}
    meaning = ends.get(
        locality.verdict, f"tiles are blended, because of {blame}; set model.input.size to its training size"
    )
    return (
        f", {locality.bands} bands → {locality.classes} channels; {locality.verdict}, stride "
        f"{locality.stride} px, {reach}: {meaning}"
    )


def _native_contents(model_facts: ModelFacts) -> str:
    contents = [
        "kind",
        *(["normalisation"] if model_facts.input else []),
        *(["classes"] if model_facts.classes else []),
    ]
    return f"it says itself: {', '.join(contents)}"


def _native_transform(model_facts: ModelFacts) -> list[str]:
    """The name of the code that changed raw pixels when a file of ours was trained.

    Where it lies is not in the file.
    """
    name = model_facts.input.get("transform")
    return (
        []
        if name is None
        else [
            key_line(
                2, "input", {"transform": name}, "TO ADD: the path of this code, which the weights were trained with"
            )
        ]
    )


def _with_fixed_size(model_facts: ModelFacts, network_facts: NetworkFacts | None) -> ModelFacts:
    """With the one size that the network was seen to take."""
    fixed_size = network_facts.locality.size if network_facts else None
    return model_facts if fixed_size is None else replace(model_facts, input={**model_facts.input, "size": fixed_size})


def _size_origin(network_facts: NetworkFacts | None) -> str:
    fixed_size = network_facts.locality.size if network_facts else None
    return "" if fixed_size is None else "; measured: the network takes this size alone"


def _input(model_facts: ModelFacts, dtype: np.dtype[Any], values: Values, bands: int | None) -> str:
    if model_facts.input.keys() & {"scale", "mean", "std"}:
        note = f"as {model_facts.origin} says"
        if model_facts.input.get("scale") == EIGHT_BITS and dtype != np.uint8:
            note = (
                f"GUESS: {note}, but of 8-bit images, and the scene is {dtype}; bring it to 8 bits as it "
                f"was done there, or change the scale"
            )
        return key_line(2, "input", model_facts.input, note)
    suggested, reason = guess_normalisation(dtype, values)
    guessed = {key: value[:bands] if isinstance(value, list) else value for key, value in suggested.items()}
    return key_line(
        2,
        "input",
        {**guessed, **model_facts.input},
        f"GUESS: {reason}; what counts is what the network was trained with",
    )


def _classes(model_facts: ModelFacts, network_facts: NetworkFacts | None) -> list[str]:
    channels = network_facts.locality.classes if network_facts else model_facts.channels
    count = None if channels is None else max(channels, 2)
    if model_facts.classes and count in (None, len(model_facts.classes)):
        return [
            "  classes:  " + comment(f"as {model_facts.origin} says"),
            *(f"    - {key_line(0, 'name', row['name'], model_facts.origin)}" for row in model_facts.classes),
        ]
    if count is None:
        return []
    mismatch = f"{model_facts.origin} names {len(model_facts.classes)} classes, but " if model_facts.classes else ""
    note = (
        f"GUESS: {mismatch}the network returns {channels} channels, which means {count} classes; name them in its order"
    )
    return [
        f"  classes:  {comment(note)}",
        *(f"    - {key_line(0, 'name', f'class{k}', 'GUESS')}" for k in range(count)),
    ]


def _output(model_facts: ModelFacts, network_facts: NetworkFacts | None, typed: Mapping[str, str]) -> list[str]:
    locality = network_facts.locality if network_facts else None
    sure = locality.ending if locality and locality.returns == "probability" else ""
    values = {**({"activation": "none"} if locality and (sure or locality.between) else {}), **model_facts.output}
    origins = [f"as {model_facts.origin} says"] if model_facts.output.keys() - typed.keys() else []
    origins += [f"given: {typed[key]}" for key in model_facts.output if key in typed]
    reason = f"the network's graph ends in a {sure}: what it returns are probabilities" if sure else ""
    if locality and locality.between and not sure:
        reason = (
            f"GUESS: all that it returned for noise lies between 0 and 1, as a {locality.between}'s "
            f"does; if these are logits, leave this line out"
        )
    if locality and locality.classes > 1 and (sure == "sigmoid" or locality.between == "sigmoid"):
        reason += "; where several classes may hold at once, add multilabel: true and a class with role: background"
    return [key_line(2, "output", values, "; ".join(filter(None, [reason, *origins])))] if values else []


def relative_path(path: str, folder: Path) -> str:
    """Relative to the config where it lies in or near its folder.

    URLs and modules as they are, a file in a name of GDAL's by its whole path.
    """
    if path.startswith(("/vsi", "vrt://")) or is_gdal_name(path):
        return anchored_path(path, Path.cwd())
    if "://" in path or not (is_pattern(path) or Path(path.rpartition(":")[0] if ".py:" in path else path).exists()):
        return path
    near = os.path.relpath(path, folder)
    return str(Path(path).resolve()) if near.startswith(os.path.join("..", "..", "..")) else near
