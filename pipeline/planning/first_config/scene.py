"""Which source a scene is: a raster, a slide, a product, an item of a catalogue, arrays, or a mosaic of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.config import SourceConfig
from pipeline.config.explain import explain
from pipeline.errors import ConfigError
from pipeline.interfaces import Source
from pipeline.planning.first_config.facts import ModelFacts
from pipeline.sources import bands, open_source
from pipeline.sources.band_files.files import is_template
from pipeline.sources.gdal.opening import SLIDES, without_sample
from pipeline.sources.mosaics.group import LatticeError
from pipeline.sources.mosaics.listing import is_pattern, rasters_in

ZARR_FILES = ("zarr.json", ".zgroup", ".zarray", ".zattrs")
"""Files by which a folder is an array, or a group of arrays."""
ARRAY_LIBRARIES = {".zarr": "zarr", ".npy": "numpy", ".nc": "h5py", ".nc4": "h5py", ".h5": "h5py", ".hdf5": "h5py"}
"""What reads a file of arrays, by its ending."""
UM_PER_M = 1e6
MPP_DIGITS = 6
"""Significant ones of a size."""


def scene_settings(scene: str, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The section ``source`` of a scene, without its bands.

    Several rasters are a mosaic, on a grid that the first of them suggests where they have none in common. A slide,
    an item and arrays are such by their names, where the library that reads them is there.

    Parameters
    ----------
    scene
        Path or URL.
    given
        Keys of the section that are known beforehand; they win over what is seen.

    Raises
    ------
    ConfigError
        A key is given that another argument of the command says.
    SourceError
        Pieces of a mosaic cannot be read.
    """
    given = given or {}
    for key, argument in (("path", "the argument SCENE"), ("bands", "--bands")):
        if key in given:
            raise ConfigError(f"--source names {key}, which {argument} says. Leave {key} out of --source.")
    if "kind" in given:
        return {"kind": given["kind"], "path": scene, **given}
    settings = {**_by_name(scene), **given}
    return _without_level(settings) if "mpp" in given else _on_common_grid(settings)


def source_config(settings: Mapping[str, Any], bands: Sequence[int | str] | None) -> SourceConfig:
    """The section ``source``, checked. Raises ConfigError."""
    try:
        return SourceConfig(**settings, bands=bands)
    except ValidationError as error:
        raise ConfigError(f"SCENE, --source and --bands make no section source: {explain(error, 'source')}") from error


def at_training_size(settings: dict[str, Any], source: Source, facts: ModelFacts) -> dict[str, Any]:
    """The settings of a slide of known size at the µm per px that the model's file states; else as they are."""
    if source.grid.unit != "um" or facts.pixel_size is None:
        return settings
    return {**_without_level(settings), "mpp": float(f"{facts.pixel_size * UM_PER_M:.{MPP_DIGITS}g}")}


def _without_level(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key != "level"}


def _by_name(scene: str) -> dict[str, Any]:
    """The kind, where it is not the default, and the path."""
    if Path(without_sample(scene)).suffix.lower() in SLIDES and find_spec("openslide") is not None:
        return {"kind": "slide", "path": scene, "level": 0}
    if is_template(scene) or bands.product_of(SourceConfig(kind="bands", path=scene)) is not None:
        return {"kind": "bands", "path": scene}
    if _is_item(scene):
        return {"kind": "stac", "path": scene}
    if _is_array(scene):
        return {"kind": "zarr", "path": scene}
    return {"kind": "mosaic", "path": scene} if _is_several(scene) else {"path": scene}


def _on_common_grid(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a mosaic with the grid that its pieces need; others as they are."""
    if settings.get("kind") != "mosaic":
        return settings
    try:
        open_source(source_config(settings, None))
    except LatticeError as error:
        if error.grid is None:
            raise
        return {**settings, "grid": error.grid}
    return settings


def _is_item(scene: str) -> bool:
    """Whether it is an item of a catalogue, by its address, or by its contents on disk."""
    if "://" in scene:
        address = scene.partition("?")[0]
        return address.endswith((".json", ".geojson")) or "/items/" in address
    place = Path(scene)
    return place.suffix in (".json", ".geojson") and place.is_file() and '"stac_version"' in place.read_text("utf-8")


def _is_array(scene: str) -> bool:
    place = Path(scene.partition("?")[0].rstrip("/"))
    library = ARRAY_LIBRARIES.get(place.suffix.lower())
    if library is None:
        return _is_zarr(place)
    return find_spec(library) is not None and not scene.startswith("/vsi")


def _is_zarr(place: Path) -> bool:
    return any((place / name).exists() for name in ZARR_FILES)


def _is_several(scene: str) -> bool:
    place = Path(scene)
    if place.is_dir():
        return bool(rasters_in(scene))
    return is_pattern(scene) and "://" not in scene and not place.exists()
