"""The sizes of image that all networks of an ensemble take."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pipeline.errors import ModelError
from pipeline.interfaces import InputConstraints


def joint_constraints(accepts: Sequence[InputConstraints], names: Sequence[str]) -> InputConstraints:
    """What several networks take, each of which sees every tile.

    Parameters
    ----------
    accepts
        Of each network.
    names
        Of each, for messages.

    Raises
    ------
    ModelError
        No size suits all of them.
    """
    multiple = math.lcm(*(one.multiple for one in accepts))
    lowest = max(range(len(accepts)), key=lambda k: accepts[k].minimum)
    limited = [k for k, one in enumerate(accepts) if one.maximum is not None]
    highest = min(limited, key=lambda k: accepts[k].maximum or 0, default=None)
    minimum, maximum = accepts[lowest].minimum, None if highest is None else accepts[highest].maximum
    if maximum is not None and maximum // multiple * multiple < minimum:
        raise ModelError(
            f"The networks of model.path see the same tiles, but no size of a tile suits all: {names[highest or 0]} "
            f"takes at most {maximum} px, {names[lowest]} at least {minimum} px, and all take multiples of {multiple} "
            f"px. Export them for the same size, or give them one by one."
        )
    batches = [one.batch for one in accepts if one.batch is not None]
    return InputConstraints(minimum=minimum, maximum=maximum, multiple=multiple, batch=min(batches, default=None))
