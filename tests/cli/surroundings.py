"""A network whose surroundings misbehave, as the environment asks.

What a test cannot patch from outside of a process.
"""

import os
import signal
import threading
import time
from typing import Any

import torch

FAULT = os.environ.get("FAULT", "")


def over(*_: Any, **__: Any) -> Any:
    """Here the time that the run has is over."""
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    time.sleep(600)


def later(real: Any, after: int) -> Any:
    """So many calls pass; then the time is over while there is still work to be done."""
    calls: list[int] = []

    def called(*args: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) == after:
            signal.setitimer(signal.ITIMER_REAL, 0.2)
        if len(calls) >= after:
            time.sleep(0.1)
        return real(*args, **more)

    return called


def hangs(after: int, place: tuple[int, int] | None) -> None:
    """Reads hang for ever: at one place, or all once so many have passed."""
    from pipeline.sources.raster import RasterSource

    real, calls = RasterSource.read, []

    def read(self: Any, window: Any) -> Any:
        calls.append(1)
        here = place is None or (
            window.rows.start <= place[0] < window.rows.stop and window.cols.start <= place[1] < window.cols.stop
        )
        if len(calls) > after and here:
            threading.Event().wait()
        return real(self, window)

    RasterSource.read = read  # type: ignore[method-assign]


class Endless(torch.nn.Conv2d):
    """Not measured before the time is over."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        over()
        return super().forward(x)


def make() -> torch.nn.Module:
    import pipeline.inference.block_task
    import pipeline.quality.verify.verify
    import pipeline.store.overviews

    if FAULT == "blocks":
        pipeline.inference.block_task.write_block = later(pipeline.inference.block_task.write_block, 3)
    elif FAULT == "overviews":
        pipeline.store.overviews.OverviewTask._make = over
    elif FAULT == "certificate":
        pipeline.quality.verify.verify.verify = over
    elif FAULT == "place":
        hangs(0, (10, 10))
    elif FAULT == "away":
        hangs(4, None)
    torch.manual_seed(0)
    return (Endless if FAULT == "planning" else torch.nn.Conv2d)(3, 4, 3, padding=1)
