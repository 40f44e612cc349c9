"""Bands of the assets of an item, with what the item's metadata say of each.

Releases before 1.1 of STAC write two lists, ``eo:bands`` and ``raster:bands``; later ones write ``bands``
(https://github.com/radiantearth/stac-spec/blob/master/commons/common-metadata.md#bands).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from pipeline.sources.stac_items.item import StacItem

PICTURE_ROLES = {"visual", "overview", "thumbnail", "metadata"}
"""Of assets that are looked at; a band's name means the band itself before it means theirs."""
INHERITED = ("nodata", "data_type", "raster:scale", "raster:offset")
"""What an asset may say for all its bands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetBand:
    """One band of an asset."""

    key: str
    """Of the asset."""
    href: str
    """As the item has it."""
    index: int | None
    """In the file, from 1; None where the item says nothing of its bands."""
    count: int
    """Bands that the item names of the asset."""
    name: str = ""
    common_name: str = ""
    picture: bool = False
    """Whether the asset is there to be looked at."""
    metadata: Mapping[str, Any]
    """What the item says of the band."""
    projection: Mapping[str, Any]
    """What it says of the place, from ``proj:``."""

    @property
    def title(self) -> str:
        """As messages name it."""
        return f"{self.key} ({self.common_name or self.name})" if self.common_name or self.name else self.key

    @property
    def is_image(self) -> bool:
        """Whether the item says that it shows reflected or emitted light."""
        return bool(self.common_name) or any(key.startswith("eo:") for key in self.metadata)


def asset_bands(item: StacItem) -> list[AssetBand]:
    """All bands of all assets, in the order of the item."""
    return [band for key, asset in item.assets.items() for band in _bands(item, key, asset)]


def _bands(item: StacItem, key: str, asset: Mapping[str, Any]) -> Iterator[AssetBand]:
    projection = {**_projection(item.properties), **_projection(asset)}
    entries = list(_entries(asset))
    for number, entry in enumerate(entries or [{}], 1):
        metadata = {**{name: asset[name] for name in INHERITED if name in asset}, **entry}
        yield AssetBand(
            key=key,
            href=str(asset.get("href", "")),
            index=number if entries else None,
            count=max(len(entries), 1),
            name=str(entry.get("name", "")),
            common_name=str(entry.get("eo:common_name", "")),
            picture=bool(PICTURE_ROLES & set(asset.get("roles") or ())),
            metadata=metadata,
            projection=projection,
        )


def _projection(part: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of the place, the CRS in the words of newer releases."""
    projection = {name: value for name, value in part.items() if name.startswith("proj:")}
    epsg = projection.pop("proj:epsg", None)
    return {**({"proj:code": f"EPSG:{epsg}"} if epsg else {}), **projection}


def _entries(asset: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What is said of each band, in the words of ``bands``."""
    if asset.get("bands"):
        yield from asset["bands"]
        return
    nothing: dict[str, Any] = {}
    for light, raster in zip_longest(asset.get("eo:bands") or (), asset.get("raster:bands") or (), fillvalue=nothing):
        yield {
            **{name if name in ("name", "description") else f"eo:{name}": value for name, value in light.items()},
            **{f"raster:{name}" if name in ("scale", "offset") else name: value for name, value in raster.items()},
        }
