"""Libraries that run a kind of network, and are not installed here."""

from __future__ import annotations

import sys
from importlib.util import find_spec

RUNNING_LIBRARIES = {
    "onnx": ("onnxruntime", "runs ONNX"),
    "smp": ("segmentation_models_pytorch", "builds the network"),
    "transformers": ("transformers", "builds the network"),
}
"""The library of a kind, and what it does; the extra that installs it bears the name of the kind."""


def missing_library(kind: str | None) -> str | None:
    """The library without which a kind of network does not run, and how it is installed; None where all is there."""
    if kind not in RUNNING_LIBRARIES:
        return None
    library, work = RUNNING_LIBRARIES[kind]
    if library in sys.modules or find_spec(library) is not None:
        return None
    return f"{library}, which {work} and is not installed here: pip install 'wholecloth[{kind}]'"
