"""Model descriptions of bioimage.io, formats 0.4 and 0.5: what they state, and the files that they name.

Only the fields that decide how a network is run are read (https://github.com/bioimage-io/spec-bioimage-io).
"""

from __future__ import annotations

from pathlib import Path

from pipeline.models.descriptions.bioimage.described_model import BioimageModel
from pipeline.models.descriptions.bioimage.read import read_model


def read_bioimage(path: Path) -> BioimageModel | None:
    """The model of a package of bioimage.io; None where the path is none. Raises ModelError as `read_model`."""
    model = read_model(path)
    return None if model is None else BioimageModel(model)
