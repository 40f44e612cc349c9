"""Networks in TensorRT: an engine for each shape of tile, built once and kept."""

from __future__ import annotations

TENSORRT_PACKAGE = "torch-tensorrt"
"""Of pip."""
