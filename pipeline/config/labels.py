"""What is known of an image."""

from __future__ import annotations

from pydantic import Field

from pipeline.config.values import ConfigSection


class LabelsConfig(ConfigSection):
    """What is known of an image: a raster of class codes, or polygons."""

    path: str = Field(
        description="raster of one band, polygons (GeoJSON, GeoPackage, FlatGeobuf, shapefile …), or sample://NAME"
    )
    values: dict[int | str, int | str] | None = Field(
        None,
        description="value of the labels → code or name of its class, such as {0: 0, 255: 1}; then every "
        "value is listed",
    )
    ignore: list[int | str] = Field([], description="values that say nothing, or names of classes that are passed over")
    attribute: str | None = Field(None, description="field of the polygons that holds the class")
    burn: int | str | None = Field(None, description="name or code of the class that all polygons mean")
    layer: str | None = Field(None, description="layer of a file that has several")
