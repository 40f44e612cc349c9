"""Why a block is not inferred, in words."""

from __future__ import annotations

from pipeline.errors import InferenceError
from pipeline.geometry.window import Window


def network_failure(error: Exception, rows: int, cols: int) -> InferenceError:
    """Of whatever a network raised on a tile, px."""
    lines = str(error).strip().splitlines()[-1:] or [type(error).__name__]
    return InferenceError(f"the network failed on a tile of {rows}×{cols} px: {lines[0][:200]}")


def nonfinite_failure(count: int, keep: Window) -> InferenceError:
    """Of so many valid pixels of a window to which a network gives no number."""
    return InferenceError(f"the network returned NaN or infinity at {count} valid pixels of {keep}")


def memory_failure(device: object) -> InferenceError:
    """Of a device that has no memory for the smallest tiles."""
    return InferenceError(
        f"{device} is out of memory even for the smallest tiles; free some, or give another execution.device"
    )
