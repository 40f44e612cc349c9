"""``wholecloth stats``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from pipeline.cli.app import AreaFile, StorePath, conceal_for_store


class Denominators(StrEnum):
    """What shares are of."""

    VALID = "valid"
    TISSUE = "tissue"
    AOI = "aoi"
    RASTER = "raster"


class Units(StrEnum):
    """Of areas."""

    UM2 = "um2"
    MM2 = "mm2"
    M2 = "m2"
    HA = "ha"
    KM2 = "km2"


class TableFormat(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def stats(
    store: StorePath,
    zones: Annotated[str | None, typer.Option(metavar="FILE", help="Polygons, of which each is a zone.")] = None,
    field: Annotated[
        str | None, typer.Option(metavar="NAME", help="Field with the name of a zone; else the feature's number.")
    ] = None,
    zones_layer: Annotated[
        str | None, typer.Option(metavar="NAME", help="Layer of the zones, of a file that has several.")
    ] = None,
    of: Annotated[
        Denominators | None,
        typer.Option(
            help="What shares are of: pixels with a class, tissue, pixels that were asked for, or all pixels. "
            "By default valid, and tissue on slides with source.only."
        ),
    ] = None,
    objects: Annotated[bool, typer.Option("--objects", help="Count connected objects as well.")] = False,
    aoi: AreaFile = None,
    unit: Annotated[
        Units | None, typer.Option(help="Unit of areas, and of what densities are per; by default that of the grid.")
    ] = None,
    form: Annotated[TableFormat, typer.Option("--format", help="How rows are printed.")] = TableFormat.TABLE,
) -> None:
    """Print pixels and area of each class, in the whole scene or by zones."""
    from pipeline.errors import InputError
    from pipeline.quality.stats.denominator import slide_note, usual_denominator
    from pipeline.quality.stats.stats import store_stats
    from pipeline.quality.stats.table import format_rows
    from pipeline.quality.stats.units import for_people, in_unit
    from pipeline.store.reader import open_store

    if zones is None and (field is not None or zones_layer is not None):
        option = "--field" if field is not None else "--zones-layer"
        raise InputError(f"{option} tells of a file of zones, and none is given. Give --zones FILE as well.")
    conceal_for_store(store, aoi, zones)
    level = open_store(store)
    zone_file = None
    if zones is not None:
        from pipeline.runtime.optional_imports import require

        for library in ("pyogrio", "shapely"):
            require(library, "vector", "Reading zones")
        from pipeline.quality.stats.zones import open_zones

        zone_file = open_zones(zones, field, zones_layer, level.grid)
    denominator = usual_denominator(level) if of is None else of.value
    rows = store_stats(level, zone_file, denominator, objects, aoi)
    is_table = form is TableFormat.TABLE
    if unit is not None:
        rows = in_unit(rows, unit.value)
    elif is_table:
        rows = for_people(rows)
    print(format_rows(rows, form.value, objects))
    if is_table and (note := slide_note(level, denominator, objects and unit is None)):
        print(note)
