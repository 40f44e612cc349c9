"""The sizes of image that a network takes, and the margins that an unpadded network leaves off."""

from __future__ import annotations

LONG = 1280
"""Length of the strips that are tried, px: a network that is measured gets no longer ones at first."""
