"""Bundles of MONAI: what their metadata and their config of inference state, and the files beside them.

Only what decides how a network is run is read (https://docs.monai.io/en/stable/mb_specification.html).
"""

from __future__ import annotations

from pathlib import Path

from pipeline.models.descriptions.monai.described_model import MonaiModel
from pipeline.models.descriptions.monai.read import read_bundle


def read_monai(path: Path) -> MonaiModel | None:
    """The model of a bundle; None where the path is none. Raises ModelError as `read_bundle`."""
    bundle = read_bundle(path)
    return None if bundle is None else MonaiModel(bundle)
