"""Which bands of a scene the network is given first: those that are asked for, those of its file, or a guess."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.config import SourceConfig
from pipeline.errors import SourceError
from pipeline.sources import bands
from pipeline.sources.band_files.product import Product, ProductBand
from pipeline.sources.stac_items.asset_bands import AssetBand, asset_bands
from pipeline.sources.stac_items.catalogue import read_document
from pipeline.sources.stac_items.choice import named_band
from pipeline.sources.stac_items.item import StacItem, item_of

COLOURS_OF = {3: ("red", "green", "blue"), 4: ("red", "green", "blue", "nir")}
"""Common names that networks of so many bands mostly take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BandChoice:
    """Bands for the section ``source``."""

    bands: list[int | str]
    origin: str
    """Where they come from, as a comment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedBands:
    """Bands of a product or an item, whose images go by names."""

    scene: Product | tuple[StacItem, tuple[AssetBand, ...]]

    @property
    def titles(self) -> list[str]:
        """Names of images, with the common name where there is one."""
        return [_titled(name, common) for name, common in self._images()]

    @property
    def names(self) -> list[str]:
        """Names of images, in the order of the scene."""
        return [name for name, _ in self._images()]

    def choice(self, count: int | None, trained: Sequence[str]) -> BandChoice:
        """The bands for a network.

        Parameters
        ----------
        count
            Bands that the network takes; None where that is not known.
        trained
            Names of the bands of its training; empty where its file does not say.
        """
        count = len(self.names) if count is None else count
        if len(trained) == count and all(self._has(name) for name in trained):
            return BandChoice(bands=list(trained), origin="the model's file: the bands of its training")
        usual = COLOURS_OF.get(count, ())
        chosen = usual if usual and all(self._has(name) for name in usual) else self.names[:count]
        guess = (
            "the bands in the order of the scene"
            if count == len(self.names)
            else f"the network takes {count} bands and the scene has {len(self.names)}"
        )
        return BandChoice(bands=list(chosen), origin=f"GUESS: {guess}; name them in the network's order")

    def _images(self) -> list[tuple[str, str]]:
        """Name and common name."""
        if isinstance(self.scene, Product):
            return [(band.name, _common(band)) for band in self.scene.bands if band.image]
        single = [band for band in self.scene[1] if band.count == 1 and not band.picture]
        images = [band for band in single if band.is_image] or single
        return [(band.key, band.common_name) for band in images]

    def _has(self, name: str) -> bool:
        try:
            if isinstance(self.scene, Product):
                self.scene.band(name)
            else:
                named_band(self.scene[1], name, self.scene[0].title)
        except SourceError:
            return False
        return True


def named_bands(settings: Mapping[str, Any]) -> NamedBands | None:
    """Bands of a scene that go by names; None of any other, and of an item whose images have none.

    Raises
    ------
    SourceError
        The item is missing or none.
    ExtraError
        The extra ``stac`` is not installed.
    """
    kind, path = settings.get("kind"), settings["path"]
    if kind == "bands":
        product = bands.product_of(SourceConfig(kind="bands", path=path))
        return None if product is None else NamedBands(scene=product)
    if kind != "stac" or "assets" in settings:
        return None
    item = item_of(read_document(path), path)
    named = NamedBands(scene=(item, tuple(asset_bands(item))))
    return named if named.names else None


def _common(band: ProductBand) -> str:
    return band.aliases[0] if band.aliases else ""


def _titled(name: str, common: str) -> str:
    return f"{name} ({common})" if common and common != name else name


def band_choice(
    requested: list[int | str] | None,
    named: NamedBands | None,
    scene_count: int,
    network_count: int | None,
    trained: Sequence[str],
) -> BandChoice | None:
    """The bands that a config has to name; None where the network takes all of a raster.

    Parameters
    ----------
    requested
        Bands that are asked for.
    named
        Bands of a scene that go by names.
    scene_count, network_count
        Bands of the scene, and of the network where that is known.
    trained
        Names of the bands of the network's training; empty where its file does not say.
    """
    if requested is not None:
        return BandChoice(bands=requested, origin="given: --bands")
    if named is not None:
        return named.choice(network_count, trained)
    if network_count is None or network_count == scene_count:
        return None
    return BandChoice(
        bands=list(range(1, network_count + 1)),
        origin=f"GUESS: the network takes {network_count} bands and the scene has {scene_count}; name them "
        f"in the network's order",
    )
