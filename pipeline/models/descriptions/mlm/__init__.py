"""Model descriptions of the MLM extension of STAC: an item beside its files, or the metadata of a ``.pt2`` archive.

Only the fields that decide how a network is run are read (https://github.com/stac-extensions/mlm). The reader is
pydantic's, as for every other format here: pystac would accept whatever an item holds, and is an extra of its own.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.models.descriptions.mlm.described_model import MlmModel
from pipeline.models.descriptions.mlm.read import read_mlm_description


def read_mlm(path: Path) -> MlmModel | None:
    """The model of an MLM description; None where the path is none. Raises ModelError as `read_mlm_description`."""
    description = read_mlm_description(path)
    return None if description is None else MlmModel(description)
