"""Labels of an image, on the image's own grid, read by windows and never whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.config import LabelsConfig
from pipeline.errors import LabelsError
from pipeline.geometry.grid import Grid
from pipeline.interfaces import IGNORE, Labels
from pipeline.quality.labels.class_codes import Value, label_mapping
from pipeline.runtime.optional_imports import require
from pipeline.sources.polygons import is_vector
from pipeline.store.spec import ClassRow

__all__ = ["IGNORE", "Labels", "from_config", "open_labels"]


def open_labels(
    path: str | Path,
    grid: Grid,
    classes: Sequence[ClassRow],
    *,
    values: Mapping[Value, Value] | None = None,
    ignore: Sequence[Value] = (),
    attribute: str | None = None,
    burn: Value | None = None,
    layer: str | None = None,
) -> Labels:
    """Open labels and lay them on the grid of an image.

    A raster of another CRS, resolution, origin or size is warped by nearest neighbour, window by window. Where neither
    it nor the image has a CRS, both must be of one size. Polygons are brought to the image's CRS, vertex by vertex, and
    burned where they cover a pixel's centre, later ones over earlier ones; what none covers is the class of role
    ``background``, if the list has one, else unknown. On an image without a CRS, polygons without one and GeoJSON are
    in columns and rows.

    Parameters
    ----------
    path
        A raster of one band, polygons in any file GDAL opens, or ``sample://NAME``.
    grid
        Of the image.
    classes
        The classes; their codes are what is read. A class of role ``ignore`` is read as IGNORE.
    values
        Value of the labels → code or name of its class, such as ``{0: 0, 255: 1}``; then every value must be listed.
        Without it a value is the code itself, or of an attribute the name.
    ignore
        Values of the labels that say nothing, or names of classes that are passed over.
    attribute
        Field of the polygons that holds the class.
    burn
        Name or code of the class that all polygons mean. Needed without ``attribute``, unless one class only has no
        role.
    layer
        Name of the layer, where a file of polygons has several.

    Returns
    -------
    Labels
        A small picklable spec with ``read(window)``.

    Raises
    ------
    LabelsError
        They are missing, empty, unreadable, lie elsewhere, lack a CRS or the attribute, or mean no class.
    ExtraError
        Polygons need the extra ``vector``.
    """
    name = _resolve(str(path))
    means = label_mapping(name, classes, values, ignore)
    if is_vector(name):
        for library in ("pyogrio", "shapely"):
            require(library, "vector", "Reading polygons")
        from pipeline.quality.labels.polygons import open_polygon_labels
        from pipeline.sources.polygons import open_polygons

        return open_polygon_labels(open_polygons(name, layer, attribute), grid, means, classes, burn)
    for option, value in (("attribute", attribute), ("burn", burn), ("layer", layer)):
        if value is not None:
            raise LabelsError(
                f"{option} is {value}, but the labels {name} are a raster, whose pixels say the class. "
                f"Leave {option} out."
            )
    from pipeline.quality.labels.raster import open_raster

    return open_raster(name, grid, means)


def from_config(config: LabelsConfig, grid: Grid, classes: Sequence[ClassRow]) -> Labels:
    """`open_labels` as a section of the config says it."""
    return open_labels(
        config.path,
        grid,
        classes,
        values=config.values,
        ignore=config.ignore,
        attribute=config.attribute,
        burn=config.burn,
        layer=config.layer,
    )


def _resolve(path: str) -> str:
    if not path.startswith("sample://"):
        return path
    from pipeline.sources.samples import labels

    return str(labels(path))
