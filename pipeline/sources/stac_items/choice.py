"""Which bands of an item are read: by the key of an asset, or by the name or common name of a band."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.errors import SourceError
from pipeline.sources.band_files.files import missing_band_error
from pipeline.sources.stac_items.asset_bands import AssetBand


def chosen_bands(
    bands: Sequence[AssetBand], assets: Sequence[str] | None, names: Sequence[int | str] | None, title: str
) -> list[tuple[str, AssetBand]]:
    """Name and band of all that are read, in that order.

    Parameters
    ----------
    bands
        All of an item.
    assets
        ``source.assets``: whole assets by key, or bands by common name.
    names
        ``source.bands``: bands by name, looked for in these assets alone where any are named.
    title
        Of the item, for messages.

    Raises
    ------
    SourceError
        There is no such band, or several have the name.
    """
    named = [entry for name in assets or () for entry in _of_asset(bands, name, title)]
    if names:
        within = [band for _, band in named] if assets else bands
        return [(str(name), named_band(within, str(name), title)) for name in names]
    if not named:
        raise SourceError(
            f"source.path is {title}, and neither source.assets nor source.bands says what of it is read. It has "
            f"{', '.join(dict.fromkeys(band.title for band in bands))}. Name some in source.bands."
        )
    return named


def named_band(bands: Sequence[AssetBand], name: str, title: str) -> AssetBand:
    """The band of a name: that of the asset with this key, else by its name or common name.

    Raises
    ------
    SourceError
        There is none, or there are several.
    """
    matches = [band for band in bands if band.key.lower() == name.lower()] or _by_own_name(bands, name)
    if not matches:
        raise missing_band_error(name, title, list(dict.fromkeys(band.title for band in bands)))
    if len(matches) > 1:
        listed = ", ".join(f"{band.key}:{band.name or band.index}" for band in matches)
        raise SourceError(
            f"The config asks for {name}, and {title} has several: {listed}. Name the asset in source.assets, and its "
            f"bands in source.bands."
        )
    return matches[0]


def _by_own_name(bands: Sequence[AssetBand], name: str) -> list[AssetBand]:
    """Bands of a name or common name: of files of their own before those of others, and pictures last."""
    matches = [band for band in bands if name.lower() in (band.name.lower(), band.common_name.lower())]
    rank = min(((band.picture, band.count > 1) for band in matches), default=(False, False))
    return [band for band in matches if (band.picture, band.count > 1) == rank]


def _of_asset(bands: Sequence[AssetBand], name: str, title: str) -> list[tuple[str, AssetBand]]:
    """All bands of the asset with a key, else the band with a common name."""
    whole = [band for band in bands if band.key.lower() == name.lower()]
    if not whole:
        return [(name, named_band(bands, name, title))]
    if len(whole) == 1:
        return [(name, whole[0])]
    return [(band.name or f"{name}:{band.index}", band) for band in whole]
