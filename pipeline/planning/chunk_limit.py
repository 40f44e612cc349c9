"""Whether one read of a source fits the memory, whatever the tiles are."""

from __future__ import annotations

import math

from pipeline.errors import PlanError
from pipeline.interfaces import Source
from pipeline.runtime.memory_constants import PROPOSAL_MARGIN
from pipeline.runtime.resources import GDAL_CACHE, MIB, human


def check_source_chunks(source: Source, budget: int, libraries: int) -> None:
    """See that what a read decodes at once fits beside the libraries.

    Parameters
    ----------
    source
        That is read.
    budget
        Bytes of ``execution.memory``.
    libraries
        Resident bytes of the process before the first read.

    Raises
    ------
    PlanError
        It does not fit; the size of what is decoded is named.
    """
    needed = libraries + GDAL_CACHE + source.working_bytes
    if not source.working_bytes or needed <= budget:
        return
    rows, cols = source.block
    raise PlanError(
        f"One read of the source takes {human(source.working_bytes)} beside the pixels that it returns, since its "
        f"chunks of {rows} × {cols} px are decoded whole, and execution.memory allows {human(budget)}, of which the "
        f"libraries take {human(libraries)}. Write the source anew in smaller chunks, such as 512 × 512 px, or raise "
        f"execution.memory to {math.ceil((needed + PROPOSAL_MARGIN) / MIB)}MiB or more."
    )
