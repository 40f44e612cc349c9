"""Warnings that are of this moment alone."""


class MomentaryWarning(str):
    """A sentence that may not hold the next time, so that nothing is recorded."""

    __slots__ = ()
