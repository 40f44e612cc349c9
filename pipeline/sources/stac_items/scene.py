"""An item as a scene: the bands that are read of it, what it says of their files, and how it is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from pipeline.config import SourceConfig
from pipeline.errors import SourceError
from pipeline.redact import mask_urls, redacted
from pipeline.sources import raster
from pipeline.sources.band_files.bands_source import BandsSource
from pipeline.sources.band_files.files import BandFile
from pipeline.sources.band_files.product import Product, ProductBand
from pipeline.sources.bands import file_config, scene_of
from pipeline.sources.gdal.access import FileAccess
from pipeline.sources.gdal.handles import Handles
from pipeline.sources.gdal.signer import signer_named
from pipeline.sources.raster import RasterSource
from pipeline.sources.stac_items.asset_bands import AssetBand, asset_bands
from pipeline.sources.stac_items.choice import chosen_bands, named_band
from pipeline.sources.stac_items.claims import AssetClaims
from pipeline.sources.stac_items.hrefs import resolved_href
from pipeline.sources.stac_items.item import StacItem, facts_of_items
from pipeline.sources.stac_items.radiometry import calibration_of, check_offsets, offset_key_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemScene:
    """What is read of an item. Small, and pickles."""

    product: Product
    """Bands by the names of the config, with their files and numbers."""
    names: tuple[str, ...]
    """Of the bands that are read, in their order."""
    claims: Mapping[str, AssetClaims]
    """What the item says, by the name of a band."""


def item_scene(item: StacItem, config: SourceConfig) -> ItemScene:
    """What a config reads of an item.

    Raises
    ------
    SourceError
        A band is missing or named by several, an address is refused, or the item contradicts itself.
    """
    bands = asset_bands(item)
    read = chosen_bands(bands, config.assets, config.bands, item.title)
    chosen = dict(read)
    qualities = {name: named_band(bands, name, item.title) for name in config.valid or {}}
    if config.radiometry is None:
        check_offsets(list(chosen.values()), item.properties, item.title)
    every = {**qualities, **chosen}
    product = Product(
        title=item.title,
        path=redacted(item.place),
        bands=tuple(_product_band(name, band, item) for name, band in every.items()),
        facts=facts_of_items([item]),
        offset_key=offset_key_of(list(chosen.values()), item.properties),
    )
    claims = {name: AssetClaims.of(band) for name, band in every.items()}
    return ItemScene(product=product, names=tuple(name for name, _ in read), claims=claims)


def _product_band(name: str, band: AssetBand, item: StacItem) -> ProductBand:
    nodata = AssetClaims.of(band).nodata
    return ProductBand(
        name=name,
        path=resolved_href(band.href, item.place),
        aliases=(band.common_name,) if band.common_name else (),
        calibration=calibration_of(band, item.properties),
        nodata=None if nodata is None or nodata != nodata else nodata,
        image=band.is_image,
        index=band.index,
    )


def open_item(scene: ItemScene, config: SourceConfig, timeout: float | None) -> BandsSource:
    """Open the files of an item and lay them on one grid.

    Raises
    ------
    SourceError
        A file is missing, unreadable, or contradicts the item.
    """
    access = FileAccess(signer=None if config.sign is None else signer_named(config.sign))
    handles = {band.path: Handles() for band in scene.product.bands}
    config = config.model_copy(update={"bands": list(scene.names)})
    return scene_of(
        config,
        scene.product,
        partial(_open_file, scene=scene, config=config, timeout=timeout, access=access, handles=handles),
    )


def _open_file(
    file: BandFile,
    of_quality: bool = False,
    *,
    scene: ItemScene,
    config: SourceConfig,
    timeout: float | None,
    access: FileAccess,
    handles: Mapping[str, Handles],
) -> RasterSource:
    """One band of an asset, compared with what the item says of it."""
    claims = scene.claims[file.name]
    try:
        source = raster.open_source(file_config(file, config, of_quality), timeout, access, handles[file.path])
    except SourceError as error:
        raise SourceError(f"The asset {claims.asset} of {scene.product.title}: {error}") from error
    if file.index is None and source.bands_in_file > 1:
        raise SourceError(
            f"{mask_urls(file.path)} has {source.bands_in_file} bands, and {scene.product.title} says nothing of the "
            f"bands of its asset {claims.asset}. Read it by itself with kind: raster."
        )
    claims.check(source, config)
    return source
