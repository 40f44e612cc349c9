"""Whether a file's bytes decide a network."""

from __future__ import annotations

import torch

from pipeline.models.bn_folding import exported
from pipeline.models.kept_conversion import WHOLE_FILES
from pipeline.models.loaded import Loaded


def is_whole_file(network: Loaded) -> bool:
    """Whether a file's bytes decide the module: none that wraps it, or that code outside of it builds."""
    module, fields = network.module, network.identity_fields
    plain = isinstance(module, torch.jit.ScriptModule) or exported.is_program(module)
    return plain and fields.get("kind") in WHOLE_FILES and "sha256" in fields
