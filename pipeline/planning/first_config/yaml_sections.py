"""The sections of a first config, line by line."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config import TileConfig
from pipeline.config.paths import anchored, is_gdal_name
from pipeline.geometry.grid import Grid
from pipeline.inspect.scene_values import Values, normalisation
from pipeline.interfaces import Source
from pipeline.planning import edges
from pipeline.planning.first_config.facts import EIGHT_BITS, Facts
from pipeline.planning.first_config.network import Seen
from pipeline.planning.first_config.yaml_text import comment, line, section

LISTED = 20
"""Bands whose values are told one by one."""


def head(source: Source, values: Values, known: Facts, seen: Seen | None) -> list[str]:
    """What was found out, as comments."""
    grid = source.grid
    said = ["A first config. Lines marked GUESS want a look; `wholecloth plan` tells what a run would do."]
    said.append(
        f"scene: {grid.height} × {grid.width} px{_resolution(grid)}, {source.bands} bands of {source.dtype}; {values.share:.0%} of the sampled pixels are valid"
    )
    said += [f"scene: {note}" for note in source.notes]
    bands = list(enumerate(zip(values.low, values.high, values.mean, values.std, strict=True), 1))
    said += [f"scene: band {k}: {low:g} … {high:g}, mean {mean:.4g}, deviation {std:.3g}" for k, (low, high, mean, std) in bands[:LISTED]]
    said += [f"scene: and {len(bands) - LISTED} bands more"] if len(bands) > LISTED else []
    said += [
        f"network: {known.what}{_verdict(known, seen)}",
        *(f"network: {note}" for note in (*known.notes, *(seen.notes + seen.locality.remarks + edges.words(seen.locality, TileConfig()) if seen else ()))),
    ]
    return [comment(words) for words in (*said, *(f"TO ADD: {words}" for words in known.todo))]


def source_section(scene: str, there: int, taken: int | None, folder: Path, asked: list[int] | None = None) -> list[str]:
    """Where the scene is, and its bands where they were asked for, or the network takes fewer."""
    lines = [line(2, "path", _relative(scene, folder))]
    if asked is not None:
        lines.append(line(2, "bands", asked))
    elif taken is not None and taken != there:
        words = f"GUESS: the network takes {taken} bands and the scene has {there}; name them in the network's order"
        lines.append(line(2, "bands", list(range(1, taken + 1)), words))
    return section("source", lines)


def model_section(path: Path, folder: Path, known: Facts, seen: Seen | None, dtype: np.dtype[Any], values: Values, bands: int | None) -> list[str]:
    """The network, its classes, normalisation and output; what a file of ours says is left to it."""
    todo = " ".join(known.todo)
    lines = []
    for key, value in {} if known.ours else known.model.items():
        lines.append(line(2, key, _relative(value, folder) if key == "factory" else value, "TO ADD" if f"model.{key}" in todo else ""))
    lines.append(line(2, "path", _relative(str(path), folder), _own(known) if known.ours else "TO ADD" if "model.path" in todo else ""))
    lines += [] if known.ours and known.classes else _classes(known, seen)
    lines += _own_transform(known) if known.ours and known.input else [_input(_sized(known, seen), dtype, values, bands)]
    return section("model", lines + _output(known, seen))


def output_section(scene: str) -> list[str]:
    """Where the store goes."""
    parts = scene.replace('"', "").split(":")[1:] if is_gdal_name(scene) else [scene.partition("?")[0]]
    name = "_".join(stem for part in parts if (stem := Path(part).stem)) or "scene"
    return section("output", [line(2, "path", f"out/{name}.zarr"), line(2, "layers", ["mask", "confidence"])])


def _resolution(grid: Grid) -> str:
    units = {"um": "µm per px", "crs": f"units of {grid.code or 'its CRS'} per px"}
    return f" of {grid.pixel_size[0]:g} {units[grid.unit]}" if grid.unit in units else ""


def _verdict(known: Facts, seen: Seen | None) -> str:
    if seen is None:
        return "; not run, because of what is TO ADD" if known.todo else "; not run here: `wholecloth plan` builds it and gives its verdict"
    found = seen.locality
    reach = f"radius {found.radius.largest} px" if found.radius else "no bound to its radius"
    blame = ", ".join(found.blame) or "what was measured"
    ends = {"local": "tiles will equal the whole", "unproven": f"whether tiles equal the whole is left open by {blame}"}
    meaning = ends.get(found.verdict, f"tiles are blended, because of {blame}; set model.input.size to its training size")
    return f", {found.bands} bands → {found.classes} channels; {found.verdict}, stride {found.stride} px, {reach}: {meaning}"


def _own(known: Facts) -> str:
    said = ["kind", *(["normalisation"] if known.input else []), *(["classes"] if known.classes else [])]
    return f"it says itself: {', '.join(said)}"


def _own_transform(facts: Facts) -> list[str]:
    """The name of the code that changed raw pixels when a file of ours was trained: where it lies is not in the file."""
    name = facts.input.get("transform")
    return [] if name is None else [line(2, "input", {"transform": name}, "TO ADD: the path of this code, which the weights were trained with")]


def _sized(facts: Facts, sight: Seen | None) -> Facts:
    """With the one size that the network was seen to take."""
    only = sight.locality.size if sight else None
    return facts if only is None else replace(facts, input={**facts.input, "size": only})


def _input(known: Facts, dtype: np.dtype[Any], values: Values, bands: int | None) -> str:
    if known.input.keys() & {"scale", "mean", "std"}:
        words = f"as {known.origin} says"
        if known.input.get("scale") == EIGHT_BITS and dtype != np.uint8:
            words = f"GUESS: {words}, but of 8-bit images, and the scene is {dtype}; bring it to 8 bits as it was done there, or change the scale"
        return line(2, "input", known.input, words)
    said, why = normalisation(dtype, values)
    guessed = {key: value[:bands] if isinstance(value, list) else value for key, value in said.items()}
    return line(2, "input", {**guessed, **known.input}, f"GUESS: {why}; what counts is what the network was trained with")


def _classes(known: Facts, seen: Seen | None) -> list[str]:
    channels = seen.locality.classes if seen else known.channels
    count = None if channels is None else max(channels, 2)
    if known.classes and count in (None, len(known.classes)):
        return ["  classes:  " + comment(f"as {known.origin} says"), *(f"    - {line(0, 'name', row['name'])}" for row in known.classes)]
    if count is None:
        return []
    mismatch = f"{known.origin} names {len(known.classes)} classes, but " if known.classes else ""
    words = f"GUESS: {mismatch}the network returns {channels} channels, which means {count} classes; name them in its order"
    return [f"  classes:  {comment(words)}", *(f"    - {line(0, 'name', f'class{k}')}" for k in range(count))]


def _output(known: Facts, seen: Seen | None) -> list[str]:
    locality = seen.locality if seen else None
    sure = locality.ending if locality and locality.returns == "probability" else ""
    said = {**({"activation": "none"} if locality and (sure or locality.between) else {}), **known.output}
    why = f"it ends in a {sure}: what it returns are probabilities" if sure else ""
    if locality and locality.between and not sure:
        why = f"GUESS: all that it returned for noise lies between 0 and 1, as a {locality.between}'s does; if these are logits, leave this line out"
    if locality and locality.classes > 1 and (sure == "sigmoid" or locality.between == "sigmoid"):
        why += "; where several classes may hold at once, add multilabel: true and a class with role: background"
    return [line(2, "output", said, why)] if said else []


def _relative(path: str, folder: Path) -> str:
    """Relative to the config where it lies in or near its folder; URLs and modules as they are, a file in a name of GDAL's by its whole path."""
    if path.startswith(("/vsi", "vrt://")) or is_gdal_name(path):
        return anchored(path, Path.cwd())
    if "://" in path or not Path(path.rpartition(":")[0] if ".py:" in path else path).exists():
        return path
    near = os.path.relpath(path, folder)
    return str(Path(path).resolve()) if near.startswith(os.path.join("..", "..", "..")) else near
