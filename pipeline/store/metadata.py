"""What the store says of itself in the conventions that readers know: GeoZarr's, CF's and OME's."""

from __future__ import annotations

from typing import Any

from pyproj import CRS
from pyproj.exceptions import CRSError

from pipeline.geometry.grid import Grid
from pipeline.store.layers import LABEL_LAYERS, Attributes, layer_kind
from pipeline.store.spec import ClassRow, StoreSpec

_HOME = "https://github.com/zarr-conventions"
_RAW = "https://raw.githubusercontent.com/zarr-conventions"
_CONVENTIONS = {
    "multiscales": ("d35379db-88df-4056-af3a-620245f8e347", "multiscales", "Multiscale layout of zarr datasets"),
    "proj": (
        "f17cb550-5864-4468-aeb7-f3180cfb622f",
        "geo-proj",
        "Coordinate reference system information for geospatial data",
    ),
    "spatial": ("689b58e2-cf7b-45e0-9fff-9cfc0883d6b4", "spatial", "Spatial coordinate information"),
}


def root_attributes(spec: StoreSpec) -> Attributes:
    """Attributes of the root: the pyramid, the georeference, and OME's view of both."""
    names = _names(spec.grid) if spec.zarr_format == 2 else ["multiscales", *_names(spec.grid)]
    shared = {"zarr_conventions": [entry for name in names for entry in _registrations(name)]}
    return {**shared, **_pyramid(spec), **georeference(spec.grid)}


def _pyramid(spec: StoreSpec) -> Attributes:
    """The levels.

    OME-Zarr of v2 has the key that the multiscales convention needs as well, so that a v2 store says them to OME's
    readers alone.
    """
    if spec.zarr_format == 2:
        return {
            "multiscales": [{"version": "0.4", **_multiscale(spec)}],
            **({"image-label": {"version": "0.4", **_label(spec)}} if spec.classes else {}),
        }
    label = {"image-label": _label(spec)} if spec.classes else {}
    return {
        "multiscales": {"layout": _layout(spec)},
        "ome": {"version": "0.5", "multiscales": [_multiscale(spec)], **label},
    }


def label_attributes(spec: StoreSpec) -> Attributes:
    """Attributes of the group of a label image whose pixels are ids of objects: its levels, and its image."""
    label = {"source": {"image": "../../"}}
    if spec.zarr_format == 2:
        return {
            "multiscales": [{"version": "0.4", **_multiscale(spec)}],
            "image-label": {"version": "0.4", **label},
        }
    return {"ome": {"version": "0.5", "multiscales": [_multiscale(spec)], "image-label": label}}


def labels_attributes(names: list[str], zarr_format: int) -> Attributes:
    """Attributes of the group ``labels``: the names of the label images in it; nothing where there is none."""
    if not names:
        return {}
    return {"labels": names} if zarr_format == 2 else {"ome": {"version": "0.5", "labels": names}}


def level_attributes(grid: Grid) -> Attributes:
    """Attributes of one level: its own georeference, so that it can be opened by itself."""
    return {
        "zarr_conventions": [entry for name in _names(grid) for entry in _registrations(name)],
        **georeference(grid),
    }


def georeference(grid: Grid) -> Attributes:
    """``spatial:`` and ``proj:`` attributes."""
    attributes: Attributes = {
        "spatial:dimensions": ["y", "x"],
        "spatial:bbox": list(grid.bounds),
        "spatial:transform_type": "affine",
        "spatial:transform": list(grid.transform),
        "spatial:shape": [grid.height, grid.width],
        "spatial:registration": "pixel",
    }
    if grid.code:
        attributes["proj:code"] = grid.code
    if grid.wkt:
        attributes["proj:wkt2"] = grid.wkt
    return attributes


def spatial_ref(grid: Grid) -> Attributes:
    """Attributes of the CF grid mapping variable, as rioxarray and odc-geo read it."""
    a, b, c, d, e, f = grid.transform
    attributes: Attributes = {"GeoTransform": f"{c!r} {a!r} {b!r} {f!r} {d!r} {e!r}"}
    if grid.wkt:
        attributes |= {**_cf(grid.wkt), "crs_wkt": grid.wkt, "spatial_ref": grid.wkt}
    return attributes


def layer(spec: StoreSpec, name: str) -> Attributes:
    """Attributes of a layer's array."""
    mapping = {} if name in LABEL_LAYERS else _grid_mapping()
    return {**layer_kind(name).attributes(spec.layer(name), _flags(spec.classes)), **mapping}


def class_axis_attributes(spec: StoreSpec) -> Attributes:
    """Attributes of the class coordinate: the names of its codes."""
    return {"long_name": "class", **_flags(spec.axis)}


def channel_axis_attributes(spec: StoreSpec) -> Attributes:
    """Attributes of the coordinate of channels: their names."""
    names = spec.values.channels
    return {
        "long_name": "channel",
        "names": list(names),
        "flag_values": list(range(len(names))),
        "flag_meanings": " ".join(name.replace(" ", "_") for name in names),
    }


def coordinate_attributes(name: str, grid: Grid) -> Attributes:
    """Attributes of the x or y coordinate."""
    attributes: Attributes = {"axis": name.upper(), "long_name": f"{name} coordinate of the pixel's centre"}
    if grid.unit == "um":
        return attributes | {"units": "micrometer"}
    try:
        axes = {str(entry.get("axis")): entry for entry in CRS.from_wkt(grid.wkt).cs_to_cf()} if grid.wkt else {}
    except CRSError:  # GDAL reads dialects that PROJ does not
        axes = {}
    return attributes | {
        key: value for key, value in axes.get(name.upper(), {}).items() if key in ("standard_name", "units")
    }


def _flags(rows: tuple[ClassRow, ...]) -> Attributes:
    return {
        "flag_values": [row.code for row in rows],
        "flag_meanings": " ".join(row.name.replace(" ", "_") for row in rows),
        "flag_colors": " ".join(row.color for row in rows),
    }


def _grid_mapping() -> Attributes:
    return {"grid_mapping": "spatial_ref", "coordinates": "spatial_ref"}


def _cf(wkt: str) -> Attributes:
    try:
        return {key: value for key, value in CRS.from_wkt(wkt).to_cf().items() if key != "crs_wkt"}
    except CRSError:  # the WKT alone still says it all
        return {}


def _names(grid: Grid) -> list[str]:
    return ["proj", "spatial"] if grid.wkt else ["spatial"]


def _registrations(name: str) -> list[dict[str, str]]:
    """A convention under each spelling that readers look for: its name and, for prefixes, its name with a colon."""
    uuid, place, description = _CONVENTIONS[name]
    spellings = [name] if name == "multiscales" else [name, f"{name}:"]
    return [
        {
            "schema_url": f"{_RAW}/{place}/refs/tags/v1/schema.json",
            "spec_url": f"{_HOME}/{place}/blob/v1/README.md",
            "uuid": uuid,
            "name": spelling,
            "description": description,
        }
        for spelling in spellings
    ]


def _layout(spec: StoreSpec) -> list[dict[str, Any]]:
    levels = []
    for k in range(spec.levels):
        grid = spec.grid.level(k)
        entry: dict[str, Any] = {
            "asset": str(k),
            "spatial:shape": [grid.height, grid.width],
            "spatial:transform": list(grid.transform),
        }
        if k:
            entry |= {"derived_from": str(k - 1), "transform": {"scale": [2.0, 2.0], "translation": [0.5, 0.5]}}
        levels.append(entry)
    return levels


def _multiscale(spec: StoreSpec) -> dict[str, Any]:
    """The levels as OME-Zarr has them, each with the size of its pixels and the place of its first one's centre."""
    unit = _ome_unit(spec.grid)
    height, width = spec.grid.pixel_size
    top, left = first_centre(spec.grid)
    name = spec.main_layer
    channels = [{"name": "channel", "type": "channel"}] if spec.layer(name).planes is not None else []
    datasets = []
    for k in range(spec.levels):
        n = 2**k
        shift = (n - 1) / 2
        moves: list[dict[str, Any]] = [{"type": "scale", "scale": [*(1.0 for _ in channels), height * n, width * n]}]
        if k or top or left:
            place = [*(0.0 for _ in channels), top + height * shift, left + width * shift]
            moves.append({"type": "translation", "translation": place})
        path = str(k) if name in LABEL_LAYERS else f"{k}/{name}"
        datasets.append({"path": path, "coordinateTransformations": moves})
    return {
        "name": name,
        "axes": [*channels, *({"name": axis, "type": "space", **unit} for axis in ("y", "x"))],
        "datasets": datasets,
        "type": "mean" if name == "values" else "mode",
    }


def _label(spec: StoreSpec) -> dict[str, Any]:
    return {
        "colors": [{"label-value": row.code, "rgba": [*row.rgb, 255]} for row in spec.classes],
        "properties": [{"label-value": row.code, "class": row.name} for row in spec.classes],
    }


def first_centre(grid: Grid) -> tuple[float, float]:
    """(y, x) of the centre of the first pixel, in the transform's units.

    OME counts from the centre of the first pixel of an image in full resolution. That is half a pixel of the image from
    its corner, and a pixel of a grid that was read below it is larger:

        image   |·|·|·|·|        0 at the centre of its first pixel
        grid    | · | · |        half the difference of both pixels

    OME's rows run down and its columns right; a grid that does not has its first pixel at 0.
    """
    across, _, left, _, down, top = grid.transform
    if grid.wkt is not None or not grid.axis_aligned or across <= 0 or down <= 0:
        return 0.0, 0.0
    width, _, _, _, height, _ = grid.image_px
    return top + (down - down / height) / 2, left + (across - across / width) / 2


def _ome_unit(grid: Grid) -> dict[str, str]:
    """OME knows metres and micrometers, but neither degrees nor feet of the surveyors."""
    if grid.unit == "um":
        return {"unit": "micrometer"}
    return {"unit": "meter"} if coordinate_attributes("x", grid).get("units") in ("m", "metre", "meter") else {}
