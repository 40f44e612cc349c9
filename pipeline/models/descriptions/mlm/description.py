"""What an MLM description states of a model, wherever it stands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.models.descriptions.mlm.parts import AssetPart, PropertiesPart, ResolutionPart


@dataclass(frozen=True, slots=True, kw_only=True)
class MlmDescription:
    """A model, described in a STAC item beside its files, or inside an archive of exported programs."""

    path: Path
    """As ``model.path`` has it."""
    name: str
    """The description, for messages."""
    version: str
    """Of the extension; empty where it is not stated."""
    properties: PropertiesPart
    assets: dict[str, AssetPart] | None = None
    """Files of a STAC item by their names; None in an archive, whose program is the network."""
    bands: tuple[ResolutionPart, ...] = ()
    """Of the sensor, with their resolutions."""
    gsd: float | None = None
    """Ground distance between pixels of the whole item, m."""
