"""A plan that was frozen, as it stands in a config."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pipeline.config.values import ConfigSection, Count


class FrozenPlanConfig(ConfigSection):
    """What `plan --freeze` decided once; a run takes it up as it is and decides nothing of it anew."""

    tiles: dict[str, Any] = Field(description="geometry of tiles and blocks")
    costs: dict[str, Any] = Field(description="bytes per pixel, by which memory is priced")
    recipe: dict[str, Any] = Field(description="precision, intra-op threads, memory format, folding")
    fingerprint: dict[str, Any] = Field(description="source, network and all that changes a pixel")
    locality: dict[str, Any] = Field(description="what was measured of the network")
    device: str = Field(description="kind of device: cpu or cuda")
    levels: Count = Field(description="full resolution and overviews")
    tissue: dict[str, Any] | None = Field(None, description="the tissue of source.only: tissue")
    versions: dict[str, str] = Field({}, description="with which it was frozen")
    hardware: str = Field("", description="on which it was frozen")
